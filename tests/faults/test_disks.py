"""A disk that is full is a sentence, leaves what was there, and the same command goes on when there
is room; a lake that cannot be written to is looked up and traced all the same.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from deltalake.exceptions import DeltaError
from pyspark.sql import SparkSession
from safetensors import SafetensorError

from llm_i2i_spark.backbones.blend_engine.combiner_checkpoints import load_combiner, save_combiner
from llm_i2i_spark.base.disk_errors import disk_error
from llm_i2i_spark.base.errors import LlmI2iError, UserError
from llm_i2i_spark.base.exports import verify_export
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.cli.main import main
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.kernels.combiner import TENSORS, Combiner
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lake.session import log_file
from llm_i2i_spark.lake.tables import Lake
from llm_i2i_spark.project import Project
from llm_i2i_spark.serving.parquet import parquet_neighbors
from llm_i2i_spark.serving.publish import live, publish
from tests.faults.disks import enlarge, read_only, small_disk
from tests.serving.indexes import random_lists, table_rows, write_lake
from tests.stage_runs import put_rows, record_of

pytestmark = pytest.mark.faults


def embeddings(number: int) -> pa.Table:
    numbers = np.random.default_rng(number).normal(size=(400, 16)).astype(np.float32)
    columns = {
        "variant": ["real"] * 400,
        "backbone": ["bpr"] * 400,
        "item_id": [f"i{item}" for item in range(400)],
        "embedding": list(numbers),
    }
    return pa.table(columns)


@pytest.mark.parametrize("room", [4, 16, 36, 60, 64, 68, 72])
@pytest.mark.faults("F13", end="error")
def test_a_commit_without_a_jvm(tmp_path: Path, room: int) -> None:
    with small_disk(tmp_path / "disk", room) as disk:
        config = load_config([], [f"lake.root={disk / 'lake'}"])
        lake, scope = DeltaRsLake(config.lake), {"variant": "real", "backbone": "bpr"}

        def commit(number: int) -> None:
            record = record_of(config, "item_embeddings", [scope], fingerprint=f"f{number}")
            lake.commit(embeddings(number), record)

        committed, full = 0, None
        while full is None:
            try:
                commit(committed)
                committed += 1
            except (DeltaError, OSError, LlmI2iError) as error:
                full = error
        assert not isinstance(full, LlmI2iError)
        assert str(disk_error(full)).startswith("The disk is full"), repr(full)
        if committed:
            assert _vectors(lake) == _vectors_of(committed - 1)
        enlarge(disk)
        commit(committed)
        assert _vectors(lake) == _vectors_of(committed)
        assert len(lake.history("item_embeddings")) == committed + 1


def _vectors(lake: DeltaRsLake) -> list[Any]:
    return lake.read("item_embeddings", None, ["item_id", "embedding"])["embedding"].to_pylist()


def _vectors_of(number: int) -> list[Any]:
    return embeddings(number).sort_by("item_id")["embedding"].to_pylist()


@pytest.mark.parametrize("name", ["index.parquet", "index.jsonl"])
@pytest.mark.faults("F13", end="error")
def test_an_export(tmp_path: Path, name: str) -> None:
    lakes = [write_lake(tmp_path / str(n), table_rows(random_lists(60 * n, 7, n))) for n in (1, 9)]
    with small_disk(tmp_path / "disk", 44) as disk:
        target = disk / name
        before = publish(lakes[0], target)
        with pytest.raises(OSError) as caught:  # noqa: PT011
            publish(lakes[1], target)
        assert str(disk_error(caught.value)).startswith("The disk is full")
        assert live(target) == before
        assert verify_export(target) is not None
        enlarge(disk)
        assert publish(lakes[1], target).previous == before.generation
        assert verify_export(target) is not None


@pytest.mark.parametrize("room", [4, 12, 20])
@pytest.mark.faults("F13", end="error")
def test_a_checkpoint(tmp_path: Path, room: int) -> None:
    shapes = [(64,), (64,), (64, 32), (32,), (32, 32), (32,), (32,), (1,)]
    tensors = [np.ones(shape, np.float32) for shape in shapes]
    combiner = Combiner(**dict(zip(TENSORS, tensors, strict=True)))
    with small_disk(tmp_path / "disk", room) as disk:
        folder = disk / "blend-1"
        with pytest.raises((OSError, SafetensorError)) as caught:
            save_combiner(folder, combiner, [{"epoch": 1}], {"features": 64})
        assert str(disk_error(caught.value)).startswith("The disk is full")
        assert list(disk.iterdir()) == []
        enlarge(disk)
        digest = save_combiner(folder, combiner, [{"epoch": 1}], {"features": 64})
        load_combiner(folder, digest)


@pytest.mark.faults("F13", end="error")
def test_a_commit_of_spark(spark: SparkSession, tmp_path: Path) -> None:
    rows = [("real", f"u{n}", f"i{n}", 1 / (n + 1), "real", None, None, n) for n in range(3_000)]
    with small_disk(tmp_path / "disk", 1 << 14) as disk:
        for room in (0, 8, 24, 40, 56):
            config = load_config([], [f"lake.root={disk / str(room)}"])
            lake, filling = Lake(spark, config.lake), _fill(disk, room)
            with pytest.raises(UserError, match="The disk is full") as caught:
                put_rows(lake, config, "fused", rows, fingerprint="f")
            assert "\n" not in str(caught.value)
            filling.unlink()
            put_rows(lake, config, "fused", rows, fingerprint="f")
            assert lake.read("fused").count() == 3_000


@pytest.mark.faults("F14", end="error")
def test_a_commit_of_spark_to_a_lake_that_cannot_be_written_to(
    spark: SparkSession, tmp_path: Path
) -> None:
    config = load_config([], [f"lake.root={tmp_path / 'lake'}"])
    rows = [("real", "u", "i", 1.0, "real", None, None, 0)]
    put_rows(Lake(spark, config.lake), config, "fused", rows)
    with read_only(tmp_path / "lake", tmp_path / "closed") as place:
        closed = load_config([], [f"lake.root={place}"])
        lake = Lake(spark, closed.lake)
        with pytest.raises(UserError, match="may not read or write") as caught:
            put_rows(lake, closed, "fused", rows, fingerprint="f")
        assert str(place) in str(caught.value)
        assert "\n" not in str(caught.value)
        assert lake.read("fused").count() == 1


def _fill(disk: Path, kilobytes: int) -> Path:
    """The file that fills a disk but for some kilobytes."""
    state, filling = os.statvfs(disk), disk / "filling"
    filling.write_bytes(b"x" * (state.f_bavail * state.f_frsize - kilobytes * 1024))
    return filling


@pytest.mark.faults("F14", end="same")
def test_a_lake_that_cannot_be_written_to_is_looked_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = write_lake(tmp_path / "lake", table_rows({"a": [("b", 0.5, 0.0)]}))
    with read_only(lake, tmp_path / "read only é") as place:
        settings = ["--set", f"lake.root={place}"]
        assert main(["lookup", *settings, "--items", "a", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)
        assert main(["audit", "runs", *settings]) == 0
        out = tmp_path / "index.parquet"
        assert main(["index-export", *settings, "--out", str(out)]) == 0
        assert parquet_neighbors(out, "a") == [{"item_id": "b", "score": 0.5, "rank": 1}]
        log = log_file(LakeConfig(root=str(place)))
        assert place not in log.parents
        log.touch()
        (foreign,) = Project(place).runs()
        assert foreign.run_id is None
    assert log_file(LakeConfig(root=str(lake))) == lake / "spark.log"
