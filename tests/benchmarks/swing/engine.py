"""The Spark job that is measured: a log in Parquet to similarities in Parquet, by the steps of
stage `i2i`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.backbones import Swing
from llm_i2i_spark.backbones.base import BackboneRun, EngineOptions
from llm_i2i_spark.backbones.cooccurrence.engine import read_interactions, similar_by_blocks
from llm_i2i_spark.backbones.cooccurrence.plan import Plan, make_plan, measure_degrees
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.capabilities import cores
from llm_i2i_spark.lake.materialize import materialized
from llm_i2i_spark.lake.session import log_file, open_session
from llm_i2i_spark.lake.tables import Lake
from tests.benchmarks.swing.logs import Clicks, write_parquet
from tests.benchmarks.swing.options import A1, A2, TOP_K, B
from tests.benchmarks.swing.processes import core_seconds

MASTER, HEAP = "local[2]", "3g"
GOLDEN = Swing(a1=A1, a2=A2, b=B, top_k=TOP_K)
"""Swing with the parameters of the golden file."""


@dataclass(frozen=True)
class Step:
    """What one step of the job took; `shuffled` is in bytes written to shuffle files."""

    seconds: float
    core_seconds: float
    shuffled: int


@dataclass(frozen=True)
class Run:
    """What one run of the job took, step by step."""

    plan: Plan
    steps: dict[str, Step]

    @property
    def seconds(self) -> float:
        """From the log to the last file."""
        return sum(step.seconds for step in self.steps.values())

    @property
    def core_seconds(self) -> float:
        """Of all processes."""
        return sum(step.core_seconds for step in self.steps.values())

    @property
    def shuffled(self) -> int:
        """Bytes written to shuffle files."""
        return sum(step.shuffled for step in self.steps.values())


class Engine:
    """A Spark session of two cores and a lake in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        settings = [
            f"lake.root={folder / 'lake'}",
            f"spark.master={MASTER}",
            f"spark.memory={HEAP}",
        ]
        config = load_config([], settings)
        self.spark = open_session(config.spark, log_file(config.lake))
        self.lake = Lake(self.spark, config.lake)
        self.out = folder / "similar.parquet"

    def run(
        self,
        log: DataFrame,
        swing: Swing = GOLDEN,
        blocks: int | None = None,
        partitions: int | None = None,
    ) -> Run:
        """The job.

        Args:
            log: `user_id, item_id`.
            swing: the parameters.
            blocks: item blocks; None for the engine's own choice.
            partitions: of users; None for the engine's own choice.
        """
        steps: dict[str, Step] = {}
        ends = self._clock(steps)
        with ExitStack() as staged:

            def stage(frame: DataFrame, title: str) -> DataFrame:
                kept = staged.enter_context(materialized(self.lake, frame, title))
                ends(title.removeprefix("swing: ").replace("'", "").replace(" ", "_"))
                return kept

            options = EngineOptions(blocks=blocks)
            run = BackboneRun(options=options, title="swing", stage=stage)
            items, lists = read_interactions(swing, rows(log), run, partitions)
            degrees = measure_degrees(lists, items.clicks)
            plan = make_plan(degrees, swing.max_users_per_item, options, cores(self.spark))
            ends("degrees")
            similar = similar_by_blocks(swing, lists, items, plan.blocks, run)
            similar.write.mode("overwrite").parquet(str(self.out))
            ends("blocks")
        return Run(plan, steps)

    def empty(self) -> float:
        """Seconds of a job of one row."""
        start = time.perf_counter()
        self.spark.range(1).write.mode("overwrite").parquet(str(self.out))
        return time.perf_counter() - start

    def read(self, path: Path) -> DataFrame:
        """A log."""
        return self.spark.read.parquet(str(path))

    def write(self, clicks: Clicks, name: str) -> DataFrame:
        """Put a log into Parquet and read it from there."""
        return self.read(write_parquet(clicks, self.out.with_name(f"{name}.parquet")))

    def _clock(self, steps: dict[str, Step]) -> Callable[[str], None]:
        """A function that notes, under the name of the step that ended, what it took since the last
        call.
        """
        before = (time.perf_counter(), core_seconds(), self._shuffled())

        def ends(step: str) -> None:
            nonlocal before
            now = (time.perf_counter(), core_seconds(), self._shuffled())
            steps[step] = Step(now[0] - before[0], now[1] - before[1], now[2] - before[2])
            before = now

        return ends

    def _shuffled(self) -> int:
        """Bytes written to shuffle files by all stages that the session remembers (a thousand)."""
        context: Any = self.spark.sparkContext
        jvm, java = context._jvm, context._jsc.sc()
        java.listenerBus().waitUntilEmpty()
        nothing = jvm.java.util.ArrayList()
        stages = java.statusStore().stageList(
            nothing, False, False, context._gateway.new_array(jvm.double, 0), nothing
        )
        return sum(stages.apply(index).shuffleWriteBytes() for index in range(stages.size()))


def rows(log: DataFrame) -> DataFrame:
    """A log as rows of table `fused`, as far as the engine reads them."""
    ids = [F.col(name).cast("string").alias(name) for name in ("user_id", "item_id")]
    return log.select(*ids, F.lit(1.0).alias("weight"), F.lit("real").alias("source"))


@lru_cache(maxsize=1)
def engine(folder: Path) -> Engine:
    """The one of this process."""
    return Engine(folder)
