"""Bit flips over everything that is stored: each is an error that names the file, or changes no
value that is read.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llm_i2i_spark.backbones.blend_engine.combiner_checkpoints import load_combiner, save_combiner
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.exports import open_export, verify_export
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.kernels.combiner import TENSORS, Combiner
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lake.table_commit import create_table
from llm_i2i_spark.serving.array_cache import load_arrays
from llm_i2i_spark.serving.index_reader import find_index
from llm_i2i_spark.serving.json_lines import json_neighbors
from llm_i2i_spark.serving.parquet import parquet_neighbors
from llm_i2i_spark.serving.publish import exporter_for, publish
from tests.faults.flips import Target
from tests.serving.indexes import SCHEMA, random_lists, table_rows, write_lake
from tests.stage_runs import record_of

pytestmark = pytest.mark.faults("F11", end="either")
Flip = Callable[[Target, int], None]


def index_lake(root: Path, seed: int = 1) -> Path:
    """A lake with a table `item_index` as training jobs write tables."""
    path = root / "item_index"
    (path / "_delta_log").mkdir(parents=True)
    rows = table_rows(random_lists(60, 8, seed)) + table_rows(random_lists(30, 8, seed), "llm_i2i")
    create_table(path, pa.Table.from_pylist(rows, SCHEMA), ("variant", "backbone"), {}, "{}")
    return root


def lists(index: Path, cache: Path | None) -> dict[str, list[Any]]:
    """Every list of an index, read from its own files unless arrays of it are kept."""
    if cache is not None:
        shutil.rmtree(cache, ignore_errors=True)
    arrays = load_arrays(find_index(index, "real"), cache)
    rows = [row for batch in arrays.batches() for row in batch.to_pylist()]
    return {row["item_id"]: row["neighbors"] for row in rows}


def test_a_table_written_without_a_jvm(flip: Flip, tmp_path: Path) -> None:
    config = load_config([], [f"lake.root={tmp_path / 'lake'}"])
    lake = DeltaRsLake(config.lake)
    for time, branch in enumerate(("base", "other", "base")):
        rows = [
            {
                "branch": branch,
                "role": role,
                "model_digest": f"{number:064x}",
                "path": f"/models/{role}-{number}",
                "base_model": "compact",
                "export_version": number,
                "manifest": json.dumps({"max_items": 50, "loss": number / 7}),
            }
            for number, role in enumerate(("generator", "discriminator"))
        ]
        lake.commit(
            rows, record_of(config, "checkpoints", [{"branch": branch}], fingerprint=f"f{time}")
        )

    def read() -> Any:
        found = [
            lake.read("checkpoints", None, TABLES["checkpoints"].names, {"branch": branch})
            for branch in ("base", "other")
        ]
        records = [commit.record for commit in lake.history("checkpoints")]
        return [part.to_pylist() for part in found], records, lake.lost_files("checkpoints")

    flip(Target("table, written and read without Spark", tmp_path / "lake", read), 200)


def test_an_index_read_without_a_jvm(flip: Flip, tmp_path: Path) -> None:
    lake = index_lake(tmp_path / "lake")
    target = Target("index in a lake", lake, lambda: lists(lake, tmp_path / "cache"))
    flip(target, 150)


def test_the_arrays_of_an_index(flip: Flip, tmp_path: Path) -> None:
    lake = index_lake(tmp_path / "lake")
    target = Target("arrays of an index", lake / "_serving", lambda: None)

    def read() -> Any:
        made = {path.stat().st_ino for path in target.folder.rglob("index.json")}
        found = lists(lake, None)
        if made != {path.stat().st_ino for path in target.folder.rglob("index.json")}:
            target.notes.append("made again")
        return found

    target.read = read
    flip(target, 100)


@pytest.mark.parametrize("name", ["index.parquet", "index.jsonl"])
def test_an_exported_index(flip: Flip, tmp_path: Path, name: str) -> None:
    lakes = [write_lake(tmp_path / str(n), table_rows(random_lists(40, 7, n))) for n in (1, 2)]
    path = tmp_path / "out" / name
    for lake in lakes:
        publish(lake, path)
    items = sorted(random_lists(40, 7, 2))
    neighbors = parquet_neighbors if name == "index.parquet" else json_neighbors

    def read() -> Any:
        found = {item: neighbors(path, item) for item in items}
        whole = lists(path, tmp_path / "cache") if name == "index.parquet" else None
        exporter = exporter_for(path)
        live = exporter.live()
        before = exporter.find(live.previous) if live and live.previous else None
        served = verify_export(path)
        return found, whole, live, before, served and served.rows

    # The file that is kept for a rollback is read by nobody before it is the live one.
    files = r"index\.(parquet|jsonl)|_index.*|generations\.json"
    flip(Target(f"exported {name}", tmp_path / "out", read, files), 100)


def test_exported_recommendations(flip: Flip, tmp_path: Path) -> None:
    path = tmp_path / "recommendations.parquet"
    rows = pa.table({"user_id": [f"u{n}" for n in range(200)], "score": np.arange(200) / 7})
    with open_export(path) as export:
        with pq.ParquetWriter(export.stream, rows.schema, write_page_checksum=True) as writer:
            writer.write_table(rows)
        export.rows = len(rows)

    def read() -> Any:
        content = verify_export(path)
        return content, pq.read_table(path).to_pylist()

    flip(Target("exported recommendations", tmp_path, read), 50)


def test_a_checkpoint_of_a_combiner(flip: Flip, tmp_path: Path) -> None:
    numbers = np.random.default_rng(1)
    shapes = [(9,), (9,), (9, 8), (8,), (8, 8), (8,), (8,), (1,)]
    tensors = [numbers.normal(size=shape).astype(np.float32) for shape in shapes]
    combiner = Combiner(**dict(zip(TENSORS, tensors, strict=True)))
    fields = {"features": 9, "seconds": 1.25, "training": {"epochs": 20}}
    folder = tmp_path / "blend-1"
    digest = save_combiner(folder, combiner, [{"epoch": 1, "loss": 0.5}], fields)

    def read() -> Any:
        found = load_combiner(folder, digest)
        manifest = json.loads((folder / "manifest.json").read_text())
        return {name: getattr(found, name).tobytes() for name in TENSORS}, manifest

    flip(Target("checkpoint of a combiner", folder, read), 50)
