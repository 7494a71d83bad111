"""Data files that are gone: which results they held, and that a write takes them out of the log."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from llm_i2i_spark.base.errors import TableNotFoundError
from llm_i2i_spark.base.run_record import fingerprint_in
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lake.lost_files import remove_failed_creation
from llm_i2i_spark.lake.tables import Lake
from tests.stage_runs import put_rows, record_of

REAL, MENDED, OTHER = ({"variant": name} for name in ("real", "llm_i2i", "no_generator"))


def row(scope: dict[str, str], item: str) -> list[tuple[Any, ...]]:
    return [(scope["variant"], "u", item, 1.0, "real", None, None, 0)]


def items(lake: Lake) -> set[str]:
    return {one["item_id"] for one in lake.read("fused").collect()}


@pytest.mark.spark
@pytest.mark.faults("F12", end="same")
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
    _commit_checkpoint(lake, config, "base", "a")
    _commit_checkpoint(lake, config, "other", "b")
    (first,) = (
        file
        for file in (tmp_path / "checkpoints").glob("*.parquet")
        if b"other" not in file.read_bytes()
    )
    first.write_bytes(first.read_bytes()[:50])
    assert [file.exists for file in lake.lost_files("checkpoints")] == [True]
    _commit_checkpoint(lake, config, "other", "c")
    history = lake.history("checkpoints")
    assert fingerprint_in(history, {"branch": "base"}) is None
    assert fingerprint_in(history, {"branch": "other"}) == "c"
    rows = lake.read("checkpoints", None, ["branch", "model_digest"]).to_pylist()
    assert rows == [{"branch": "other", "model_digest": "c"}]


def _commit_checkpoint(lake: DeltaRsLake, config: Config, branch: str, digest: str) -> None:
    row = {"branch": branch, "role": "generator", "model_digest": digest, "path": "p"}
    row |= {"base_model": "compact", "export_version": 0, "manifest": "{}"}
    record = record_of(config, "checkpoints", [{"branch": branch}], fingerprint=digest)
    lake.commit([row], record)


def _torn(log: Path) -> None:
    last = sorted(log.glob("*.json"))[-1]
    last.write_text(last.read_text()[:40])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_torn, "Truncated record"),
        (lambda log: (log / f"{0:020}.json").unlink(), "its first commits are missing"),
        (lambda log: (log / f"{1:020}.json").unlink(), "found gap"),
        (shutil.rmtree, "it is missing, and data files are there"),
    ],
)
@pytest.mark.faults("F12", end="error")
def test_a_damaged_log_is_one_sentence_with_the_command_that_mends_it(
    damage: Callable[[Path], object], reason: str, tmp_path: Path
) -> None:
    table = tmp_path / "fused"
    for number in range(3):
        write_deltalake(table, pa.table({"n": [number]}), mode="append")
    damage(table / "_delta_log")
    lake = DeltaRsLake(load_config([], [f"lake.root={tmp_path}"]).lake)
    with pytest.raises(TableNotFoundError, match=reason) as caught:
        lake.history("fused")
    assert "\n" not in str(caught.value)
    assert f"`mv '{table}' '{table}.damaged'`; stage fuse then makes it anew." in str(caught.value)


def test_folders_of_a_first_commit_that_failed_are_removed_and_nothing_else(tmp_path: Path) -> None:
    log = tmp_path / "fused" / "_delta_log"
    (log / "_staged_commits").mkdir(parents=True)
    for name in (f".{0:020}.json.a-b.tmp", f"..{0:020}.json.a-b.tmp.crc"):
        (log / name).touch()
    remove_failed_creation(str(tmp_path / "fused"))
    assert list(tmp_path.iterdir()) == []
    remove_failed_creation(str(tmp_path / "fused"))
    write_deltalake(tmp_path / "fused", pa.table({"n": [1]}))
    remove_failed_creation(str(tmp_path / "fused"))
    assert DeltaTable(tmp_path / "fused").version() == 0


def test_files_of_a_first_commit_that_never_came_are_no_damage(tmp_path: Path) -> None:
    config = load_config([], [f"lake.root={tmp_path}"])
    lake = DeltaRsLake(config.lake)
    (tmp_path / "checkpoints" / "_delta_log").mkdir(parents=True)
    (tmp_path / "checkpoints" / "part-0.parquet").write_bytes(b"PAR1")
    assert lake.history("checkpoints") == []
    _commit_checkpoint(lake, config, "base", "a")
    assert lake.read("checkpoints", None, ["branch"]).to_pylist() == [{"branch": "base"}]


def test_who_looks_while_a_table_is_being_made_sees_no_damage(tmp_path: Path) -> None:
    for number in range(20):
        config = load_config([], [f"lake.root={tmp_path / str(number)}"])
        lake, looks = DeltaRsLake(config.lake), []
        writer = Thread(target=_commit_checkpoint, args=(lake, config, "base", "a"))
        writer.start()
        while writer.is_alive():
            looks.append(len(lake.history("checkpoints")))
        writer.join()
        assert looks == sorted(looks)
        assert len(lake.history("checkpoints")) == 1
