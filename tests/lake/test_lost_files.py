"""Data files that are gone: which results they held, and that a write takes them out of the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from llm_i2i_spark.base.run_record import fingerprint_in
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lake.tables import Lake
from tests.stage_runs import put_rows, record_of

REAL, MENDED, OTHER = ({"variant": name} for name in ("real", "llm_i2i", "no_generator"))


def row(scope: dict[str, str], item: str) -> list[tuple[Any, ...]]:
    return [(scope["variant"], "u", item, 1.0, "real", None, None, 0)]


def items(lake: Lake) -> set[str]:
    return {one["item_id"] for one in lake.read("fused").collect()}


@pytest.mark.spark
def test_a_write_drops_lost_files_and_says_which_results_went_with_them(
    spark: Any, tmp_path: Path
) -> None:
    config = load_config([], [f"lake.root={tmp_path}"])
    lake = Lake(spark, config.lake)
    for name, scope in (("a", REAL), ("b", MENDED), ("c", OTHER)):
        put_rows(lake, config, "fused", row(scope, name), fingerprint=name)
    assert lake.lost_files("fused") == []
    for lost in _files_of(tmp_path / "fused", ("real", "llm_i2i")):
        lost.unlink()
    found = lake.lost_files("fused")
    assert [sum(file.may_hold(one) for file in found) for one in (REAL, MENDED, OTHER)] == [1, 1, 0]
    put_rows(lake, config, "fused", row(REAL, "d"), fingerprint="d")
    assert items(lake) == {"c", "d"}
    assert lake.lost_files("fused") == []
    history = lake.history("fused")
    assert [fingerprint_in(history, one) for one in (REAL, MENDED, OTHER)] == ["d", None, "c"]


def _files_of(table: Path, variants: tuple[str, ...]) -> list[Path]:
    actions = pa.table(DeltaTable(table).get_add_actions(flatten=True)).to_pylist()
    return [table / one["path"] for one in actions if one["min.variant"] in variants]


def test_the_lake_without_a_jvm_drops_them_too(tmp_path: Path) -> None:
    config = load_config([], [f"lake.root={tmp_path}"])
    lake = DeltaRsLake(config.lake)

    def commit(branch: str, digest: str) -> None:
        row = {"branch": branch, "role": "generator", "model_digest": digest, "path": "p"}
        row |= {"base_model": "compact", "export_version": 0, "manifest": "{}"}
        record = record_of(config, "checkpoints", [{"branch": branch}], fingerprint=digest)
        lake.commit([row], record)

    commit("base", "a")
    commit("other", "b")
    (first,) = (
        file
        for file in (tmp_path / "checkpoints").glob("*.parquet")
        if b"other" not in file.read_bytes()
    )
    first.write_bytes(first.read_bytes()[:50])
    assert [file.exists for file in lake.lost_files("checkpoints")] == [True]
    commit("other", "c")
    history = lake.history("checkpoints")
    assert fingerprint_in(history, {"branch": "base"}) is None
    assert fingerprint_in(history, {"branch": "other"}) == "c"
    rows = lake.read("checkpoints", None, ["branch", "model_digest"]).to_pylist()
    assert rows == [{"branch": "other", "model_digest": "c"}]
