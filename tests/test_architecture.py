"""What import-linter cannot say: bare imports stay light, and only two files touch Spark below the
DataFrame API.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "llm_i2i_spark"
BELOW_DATAFRAMES = re.compile(r"\bsparkContext\b|\b_jvm\b|\b_jdf\b|\.rdd\b")
MAY_GO_BELOW = {PACKAGE / "lake" / "session.py", PACKAGE / "lake" / "capabilities.py"}


@pytest.mark.parametrize(
    "module",
    [
        "llm_i2i_spark",
        "llm_i2i_spark.config.files",
        "llm_i2i_spark.__main__",
        "llm_i2i_spark.pipeline.planner",
        "llm_i2i_spark.pipeline.stages",
    ],
)
def test_importing_loads_neither_spark_nor_torch(module: str) -> None:
    code = (
        f"import sys, {module}; print([m for m in ('pyspark', 'torch', 'transformers', 'deepspeed')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_only_session_and_capabilities_go_below_the_dataframe_api() -> None:
    assert set(PACKAGE.rglob("*.py")) >= MAY_GO_BELOW
    found = {
        path
        for path in PACKAGE.rglob("*.py")
        if BELOW_DATAFRAMES.search(path.read_text(encoding="utf-8"))
    }
    assert found <= MAY_GO_BELOW


def test_every_stage_has_the_same_shape_and_writes_the_tables_of_its_contract() -> None:
    from llm_i2i_spark.base.contracts import TABLES
    from llm_i2i_spark.pipeline.stages import STAGES

    for stage in STAGES:
        assert (PACKAGE / stage.name / "stage.py").is_file()
        assert (PACKAGE / stage.name / "execute.py").is_file()
        assert stage.writes
        assert len({TABLES[table].scope for table in stage.writes}) == 1
        for part in stage.code:
            assert (PACKAGE / part).is_dir() or (PACKAGE / f"{part}.py").is_file(), part


def test_a_stage_reads_only_tables_of_stages_before_it() -> None:
    from llm_i2i_spark.base.contracts import TABLES
    from llm_i2i_spark.pipeline.stages import STAGE_NAMES, STAGES

    for stage in STAGES:
        for table in stage.reads:
            assert STAGE_NAMES.index(TABLES[table].stage) < STAGE_NAMES.index(stage.name)
