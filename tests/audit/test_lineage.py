"""From a result to what it was made from, where a table was made anew in between. No Spark."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from llm_i2i_spark.audit.lineage import Lineage
from llm_i2i_spark.base.errors import TableNotFoundError
from llm_i2i_spark.base.run_record import ScopeResult
from llm_i2i_spark.base.stage import PinnedRun
from llm_i2i_spark.config.config import Config
from tests.pipeline.memory_lake import MemoryLake

REAL = {"variant": "real"}
SYSTEM = {"variant": "real", "backbone": "swing"}
THEN, NOW = "a" * 64, "b" * 64


@pytest.fixture
def lake() -> MemoryLake:
    """Similarities that were made from version 1 of `fused`."""
    lake = MemoryLake()
    for digest in ("0" * 64, THEN):
        commit(lake, "fused", REAL, digest)
    commit(lake, "item_similarity", SYSTEM, "s" * 64, {"fused": 1}, {"fused[variant=real]": THEN})
    return lake


def commit(
    lake: MemoryLake,
    table: str,
    scope: dict[str, str],
    digest: str,
    reads: dict[str, int] | None = None,
    inputs: dict[str, str] | None = None,
) -> None:
    key = ",".join(f"{name}={value}" for name, value in scope.items())
    results = {key: ScopeResult(digest, inputs or {})}
    run = PinnedRun("r", "stage", reads or {}, scopes=(scope,), results=results)
    lake.commit(table, run.record(Config(), table))


def fused_behind(lake: MemoryLake) -> int:
    lineage: Any = Lineage(SimpleNamespace(history=lake.history))  # type: ignore[arg-type]
    return lineage.input_of(lineage.find("item_similarity", SYSTEM), "fused").version


def test_the_recorded_version_is_followed(lake: MemoryLake) -> None:
    commit(lake, "fused", REAL, NOW)
    assert fused_behind(lake) == 1


def test_the_same_content_in_a_table_made_anew_is_found(lake: MemoryLake) -> None:
    lake.histories["fused"] = []
    commit(lake, "fused", REAL, THEN)
    assert fused_behind(lake) == 0


def test_other_content_in_a_table_made_anew_is_a_sentence(lake: MemoryLake) -> None:
    lake.histories["fused"] = []
    for _ in range(2):
        commit(lake, "fused", REAL, NOW)
    with pytest.raises(TableNotFoundError, match="fused was made anew since item_similarity v0"):
        fused_behind(lake)
