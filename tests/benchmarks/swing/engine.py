"""The Spark job that is measured: a log in Parquet to similarities in Parquet, by the steps of stage `i2i`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.base.config import Config
from llm_i2i_spark.base.config_files import load_config
from llm_i2i_spark.i2i.lists import user_lists
from llm_i2i_spark.i2i.numbering import collect_items, number_items
from llm_i2i_spark.i2i.plan import Plan, make_plan, measure_degrees
from llm_i2i_spark.i2i.similar import similar_items
from llm_i2i_spark.lake.capabilities import cores
from llm_i2i_spark.lake.materialize import materialized
from llm_i2i_spark.lake.session import open_session
from llm_i2i_spark.lake.tables import Lake
from tests.benchmarks.swing.logs import Clicks, write_parquet
from tests.benchmarks.swing.options import A1, A2, TOP_K, B
from tests.benchmarks.swing.processes import core_seconds

MASTER, HEAP = "local[2]", "3g"
GOLDEN = (f"i2i.swing.a1={A1}", f"i2i.swing.a2={A2}", f"i2i.swing.b={B}", f"i2i.top_k={TOP_K}", f"index.size={TOP_K}")
VARIANT, SEED = "real", 42
CLICKS_A_TASK = 2_000_000


@dataclass
class Run:
    """What one run of the job took.

    Attributes:
        shuffled: bytes written to shuffle files, by step.
    """

    plan: Plan
    seconds: float = 0.0
    core_seconds: float = 0.0
    shuffled: dict[str, int] = field(default_factory=dict)


class Engine:
    """A Spark session of two cores and a lake in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        settings = [f"lake.root={folder / 'lake'}", f"spark.master={MASTER}", f"spark.memory={HEAP}"]
        config = load_config([], settings)
        self.spark = open_session(config)
        self.lake = Lake(self.spark, config.lake)
        self.out = folder / "similar.parquet"
        self._default_tasks = self.spark.conf.get("spark.sql.shuffle.partitions")

    def run(self, log: DataFrame, *settings: str) -> Run:
        """The job.

        Args:
            log: `user_id, item_id`.
            settings: of the configuration, beside the parameters of the golden file.
        """
        config = load_config([], ["lake.root=unused", *GOLDEN, *settings])
        start, core_start = time.perf_counter(), core_seconds()
        shuffled: dict[str, int] = {}
        plan = self._run(log, config, shuffled)
        return Run(plan, time.perf_counter() - start, core_seconds() - core_start, shuffled)

    def _run(self, log: DataFrame, config: Config, shuffled: dict[str, int]) -> Plan:
        steps = self._steps(shuffled)
        with materialized(self.lake, number_items(rows(log), [VARIANT], SEED), "item numbers") as table:
            items = collect_items(table)
            steps("numbers")
            with materialized(self.lake, user_lists(rows(log), items, config.i2i), "lists") as lists:
                steps("lists")
                plan = make_plan(measure_degrees(lists, items.clicks), config.i2i, cores(self.spark))
                steps("degrees")
                similar_items(lists, VARIANT, items, plan.blocks, config.i2i).write.mode("overwrite").parquet(str(self.out))
                steps("blocks")
        return plan

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

    @contextmanager
    def tasks(self, n: int | None) -> Iterator[None]:
        """Shuffles of so many tasks for the length of the block; None for the session's default."""
        self.spark.conf.set("spark.sql.shuffle.partitions", str(n or self._default_tasks))
        yield
        self.spark.conf.set("spark.sql.shuffle.partitions", str(self._default_tasks))

    def _steps(self, shuffled: dict[str, int]) -> Callable[[str], None]:
        """A function that notes, under the name of the step that ended, what was written to shuffle files since the last call."""
        before = self._shuffled()

        def end(step: str) -> None:
            nonlocal before
            now = self._shuffled()
            shuffled[step], before = now - before, now

        return end

    def _shuffled(self) -> int:
        """Bytes written to shuffle files by all stages that the session remembers (a thousand)."""
        context: Any = self.spark.sparkContext
        jvm, java = context._jvm, context._jsc.sc()
        java.listenerBus().waitUntilEmpty()
        nothing = jvm.java.util.ArrayList()
        stages = java.statusStore().stageList(nothing, False, False, context._gateway.new_array(jvm.double, 0), nothing)
        return sum(stages.apply(place).shuffleWriteBytes() for place in range(stages.size()))


def rows(log: DataFrame) -> DataFrame:
    """A log as rows of the `fused` contract, as far as the engine reads them."""
    ids = [F.col(name).cast("string").alias(name) for name in ("user_id", "item_id")]
    return log.select(F.lit(VARIANT).alias("variant"), *ids, F.lit(1.0).alias("weight"), F.lit("real").alias("source"))


def tasks_for(clicks: Clicks) -> int | None:
    """Tasks of a shuffle such that each holds two million clicks at most; None where the default does."""
    return math.ceil(len(clicks) / CLICKS_A_TASK) if len(clicks) > 10 * CLICKS_A_TASK else None


@lru_cache(maxsize=1)
def engine(folder: Path) -> Engine:
    """The one of this process."""
    return Engine(folder)
