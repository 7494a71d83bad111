"""The documentation is complete, says what the code says, and its figures are up to date."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import llm_i2i_spark
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.sections.ingest import IngestConfig
from llm_i2i_spark.config.files import known_keys
from llm_i2i_spark.config.option_types import is_per_table, option_types

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
FETCHED = re.compile(r'(?:src|href)="(?:https?:)?//[^"]+\.(?:js|css|woff2?)"')
SETTING = re.compile(r"--set ([a-z_0-9]+\.[a-z_0-9.]+)=|`([a-z_0-9]+(?:\.[a-z_0-9]+)+)=")


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = ["mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    pages = list((tmp_path / "site").glob("*.html"))
    assert len(pages) >= len(PAGES)
    for page in pages:
        loaded = re.findall(
            r'(?:src|href)="(?:https?:)?//[^"]+\.(?:js|css|woff2?)"', page.read_text()
        )
        assert not loaded, page.name


def test_every_public_name_has_its_reference() -> None:
    documented = re.findall(r"^::: (\S+)", (DOCS / "api.md").read_text(), flags=re.MULTILINE)
    names = {path.rsplit(".", 1)[1] for path in documented}
    assert set(llm_i2i_spark.__all__) <= names


def test_every_column_stands_in_the_tables_page_with_what_it_holds(hooks: ModuleType) -> None:
    page = hooks.on_page_markdown((DOCS / "tables.md").read_text())
    for table in TABLES.values():
        assert f"## {table.name}\n" in page
        for column in table.columns:
            assert column.description.strip(), (table.name, column.name)
            assert f"| `{column.name}` |" in page
    assert "generated:" not in page


def test_every_mark_of_a_generated_part_is_filled_in(hooks: ModuleType) -> None:
    marks = {mark for page in PAGES for mark in hooks.MARK.findall(page.read_text())}
    assert marks == set(hooks.GENERATED)


def _options_of_each_table() -> set[str]:
    return {key for key, kind in option_types(IngestConfig).items() if is_per_table(kind)}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.stem)
def test_every_option_that_a_page_sets_exists(page: Path) -> None:
    known = {*known_keys(), *(f"ingest.{name}" for name in _options_of_each_table())}
    for first, second in SETTING.findall(page.read_text()):
        key = first or second
        assert key in known or key.startswith(("ingest.columns.", "spark.conf.")), key


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_folder_and_file_of_the_package_that_a_page_names_exists(page: Path) -> None:
    named = re.findall(r"`((?:llm_i2i_spark|conf|jobs|tests)/[\w./]*)`", page.read_text())
    for path in named:
        assert "NAME" in path or (ROOT / path).exists(), path


def test_figures_are_what_their_script_draws(figures: ModuleType) -> None:
    for figure in figures.FIGURES:
        path = DOCS / "figures" / f"{figure.__name__}.svg"
        assert path.read_text() == figure().svg(), (
            f"run python docs/figures/make.py for {path.name}"
        )


def test_the_figure_of_gains_has_the_numbers_of_the_readme(figures: ModuleType) -> None:
    readme = (ROOT / "README.md").read_text()
    for _, real, mended, relative in figures.GAINS:
        for value, low, high in (real, mended):
            assert f"{value:.4f}  {low:.4f} to {high:.4f}" in readme
        assert relative.replace(" ", "") in readme
