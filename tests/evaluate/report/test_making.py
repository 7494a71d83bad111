"""What the report says of how the indexes were made."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from llm_i2i_spark.base.contracts import RELIABILITY_CURVE, TABLES, TRAINING_CURVE
from llm_i2i_spark.base.run_record import Commit
from llm_i2i_spark.evaluate.report.making import (
    Combining,
    branches_of,
    calibration_reliability,
    stage_seconds,
    training_losses,
)
from llm_i2i_spark.metrics.reliability import Reliability
from llm_i2i_spark.pipeline.stages import FOR_BACKBONES, STAGE_NAMES
from tests.pipeline.memory_lake import Shop

SYSTEMS = [("real", "swing"), ("llm_i2i", "swing"), ("real", "bm25")]


def after(seconds: int, commit: Commit) -> Commit:
    """A commit as if its stage had begun so many seconds before."""
    started = commit.timestamp - timedelta(seconds=seconds)
    return replace(commit, record=replace(commit.record, started=started.isoformat()))


def test_seconds_are_those_of_the_runs_behind_the_systems(tmp_path: Path) -> None:
    for name in ("interactions", "items"):
        (tmp_path / f"{name}.csv").touch()
    shop = Shop(tmp_path)
    shop.run("real", "llm_i2i")
    shop.run("real", backbones=("bm25",))
    shop.run("no_generator")  # not asked for below
    tables = list(TABLES)
    for table, history in shop.lake.histories.items():
        history[:] = [after(1 + tables.index(table), commit) for commit in history]
    found = stage_seconds(shop.lake, SYSTEMS)
    of_llm_cf = "retrieve"  # no system here is made of what it writes
    left_out = {"evaluate", of_llm_cf, *(stage.name for stage in FOR_BACKBONES)}
    assert list(found) == [name for name in STAGE_NAMES if name not in left_out]
    # The last of an execution's tables has the seconds of all of it; stage i2i ran twice.
    of_ingest = ("interactions", "quarantine", "items", "item_stats")
    assert found["ingest"] == 1.0 + max(map(tables.index, of_ingest))
    assert found["i2i"] == 2 * (1.0 + tables.index("item_similarity"))
    assert found["sft"] == 1.0 + tables.index("checkpoints")
    real = stage_seconds(shop.lake, [("real", "swing")])
    assert list(real) == ["ingest", "fuse", "i2i", "index"]


def test_branches_are_those_of_variants_with_models() -> None:
    systems = [*SYSTEMS, ("no_long_tail_loss", "swing"), ("no_generator", "swing")]
    assert branches_of(systems, "sft") == ["base", "no_long_tail_loss"]


def test_losses_are_read_from_the_folder_of_the_checkpoint(tmp_path: Path) -> None:
    lines = [json.dumps({"role": "generator", "epoch": n, "loss": 3.5 - n}) for n in (1, 2)]
    (tmp_path / TRAINING_CURVE).write_text("\n".join(lines) + "\n")
    assert training_losses(str(tmp_path)) == [2.5, 1.5]
    assert training_losses(str(tmp_path / "elsewhere")) == []


def test_how_a_combiner_learned_is_read_from_its_row_and_its_folder(tmp_path: Path) -> None:
    lines = [json.dumps({"loss": 3.5 - n, "held_out_loss": 4.5 - n}) for n in (1, 2)]
    (tmp_path / TRAINING_CURVE).write_text("\n".join(lines) + "\n")
    manifest = json.dumps({"mixture_loss": 3.75, "held_out_loss": 2.5})
    row = {"path": str(tmp_path), "manifest": manifest}
    assert Combining.of_row(row) == Combining([2.5, 1.5], [3.5, 2.5], 3.75, 2.5)
    elsewhere = Combining.of_row({**row, "path": str(tmp_path / "elsewhere")})
    assert elsewhere == Combining([], [], 3.75, 2.5)


def test_reliability_is_read_from_the_folder_of_the_checkpoint(tmp_path: Path) -> None:
    measured = Reliability.measure([0.1, 0.3], [False, True])
    (tmp_path / RELIABILITY_CURVE).write_text(measured.to_json())
    assert calibration_reliability(str(tmp_path)) == measured
    assert calibration_reliability(str(tmp_path / "elsewhere")) is None
