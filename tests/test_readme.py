"""The commands of README and pages exist, Python names are public, extras are declared."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

import llm_i2i_spark
from llm_i2i_spark.cli.parser import build_parser
from llm_i2i_spark.lake.session import delta_package

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", text, flags=re.DOTALL | re.MULTILINE)


def _lines(text: str) -> list[str]:
    return [
        line.split("  #")[0].strip()
        for block in _blocks(text, "bash")
        for line in block.replace("\\\n", " ").splitlines()
        if line.strip()
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_line_is_understood(page: Path) -> None:
    for line in _lines(page.read_text(encoding="utf-8")):
        words = shlex.split(line.split(" > ")[0])
        if words[0] == "llm-i2i":
            build_parser().parse_args(words[1:])
        if words[0] == "spark-submit" and "jobs/llm_i2i.py" in words:
            job = words.index("jobs/llm_i2i.py")
            assert words[words.index("--packages") + 1] == delta_package()
            build_parser().parse_args(words[job + 1 :])


def test_a_cluster_is_given_the_same_lines_in_the_readme_and_on_its_page() -> None:
    page = (ROOT / "docs" / "clusters.md").read_text(encoding="utf-8")
    of_readme, of_page = (
        [line for line in _lines(text) if line.startswith("spark-submit")]
        for text in (README, page)
    )
    assert len(of_readme) == 2
    assert of_readme == of_page


def test_the_readme_shows_the_commands_a_stranger_needs() -> None:
    shown = {line.split()[1] for line in _lines(README) if line.startswith("llm-i2i ")}
    assert {"run", "lookup", "serve-index", "publish", "index-export"} <= shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_python_blocks_import_public_names(page: Path) -> None:
    for block in _blocks(page.read_text(encoding="utf-8"), "python"):
        if block.startswith("--8<--"):
            continue
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module == "llm_i2i_spark":
                assert {alias.name for alias in node.names} <= set(llm_i2i_spark.__all__)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_extra_that_a_page_installs_exists(page: Path) -> None:
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = pyproject.split("[project.optional-dependencies]")[1].split("\n[")[0]
    extras = set(re.findall(r"^(\w+) = \[", section, flags=re.MULTILINE))
    for installed in re.findall(r"(?:'\.|\.whl)\[([\w,]+)\]", page.read_text(encoding="utf-8")):
        assert set(installed.split(",")) <= extras


def test_every_make_target_and_job_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    named = {line.split()[1] for line in _lines(README) if line.startswith("make ")}
    named |= set(re.findall(r"`make ([a-z]+)", README))
    assert {"quickstart", "test"} <= named <= targets
    for job in re.findall(r"\bjobs/[a-z0-9_]+\.py", README):
        assert (ROOT / job).is_file(), job
