"""In the process that is measured: one computation on one log, in a Spark session of two cores."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from llm_i2i_spark.backbones import BackboneRun, find_backbone
from llm_i2i_spark.backbones.staging import compute_once
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.session import log_file, open_session
from tests.benchmarks.swing.processes import core_seconds

CORES, HEAP = 2, "3g"
TABLES = {
    "em_transitions": (),
    "blend": ("items",),
    "blend_text": ("items", "item_features"),
}
"""What is computed, and the tables beside the clicks that it is given."""


class Steps:
    """Core-seconds and shuffled bytes between the ends of steps."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark
        self._last = self._now()
        self.found: list[dict[str, Any]] = []

    def ends(self, name: str) -> None:
        """Note what the step that ends now took."""
        now = self._now()
        numbers = {key: round(now[key] - self._last[key], 2) for key in now}
        self.found.append({"step": name, **numbers})
        print(json.dumps(self.found[-1]), file=sys.stderr, flush=True)
        self._last = now

    def total(self, key: str) -> float:
        """Of all steps."""
        return round(sum(step[key] for step in self.found), 2)

    def _now(self) -> dict[str, float]:
        context: Any = self._spark.sparkContext
        jvm, java = context._jvm, context._jsc.sc()
        java.listenerBus().waitUntilEmpty()
        nothing = jvm.java.util.ArrayList()
        stages = java.statusStore().stageList(
            nothing, False, False, context._gateway.new_array(jvm.double, 0), nothing
        )
        each = [stages.apply(index) for index in range(stages.size())]
        return {
            "seconds": time.perf_counter(),
            "core_seconds": core_seconds(),
            "shuffled_mb": sum(one.shuffleWriteBytes() for one in each) / 1e6,
            "spilled_mb": sum(one.diskBytesSpilled() for one in each) / 1e6,
        }


def main(folder: Path, small: Path, what: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Compute on a small log, then on the one to measure; what the second took."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    root = folder.parent / "lake"
    config = load_config(
        [], [f"lake.root={root}", f"spark.master=local[{CORES}]", f"spark.memory={HEAP}"]
    )
    spark = open_session(config.spark, log_file(config.lake))
    compute(spark, small, what, settings)
    print(json.dumps({"warm": core_seconds()}), file=sys.stderr, flush=True)
    steps, rows = compute(spark, folder, what, settings)
    totals = {key: steps.total(key) for key in steps.found[0] if key != "step"}
    return {**totals, "rows": rows, "steps": steps.found}


def compute(
    spark: SparkSession, folder: Path, what: str, settings: dict[str, Any]
) -> tuple[Steps, int]:
    """`similar_items` on a log, its rows to Parquet; the steps, and the number of rows."""

    def read(name: str) -> DataFrame:
        return spark.read.parquet(str(folder / f"{name}.parquet"))

    steps = Steps(spark)
    run = BackboneRun(
        title=what, stage=staged_by(steps.ends), tables={name: read(name) for name in TABLES[what]}
    )
    backbone = find_backbone(what.removesuffix("_text"))(**settings)
    similar = backbone.similar_items(read("clicks"), run)
    steps.ends("similarities")
    out = str(folder / "similar.parquet")
    similar.write.mode("overwrite").parquet(out)
    rows = spark.read.parquet(out).count()
    steps.ends("files")
    return steps, rows


def staged_by(ends: Callable[[str], None]) -> Callable[[DataFrame, str], DataFrame]:
    """What keeps frames for a backbone without a lake, and notes the steps."""

    def stage(frame: DataFrame, title: str) -> DataFrame:
        kept = compute_once(frame, title)
        ends(title)
        return kept

    return stage


if __name__ == "__main__":
    found = main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4]))
    print(json.dumps(found), flush=True)
