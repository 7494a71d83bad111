"""`make benchmark BENCH=inference`: what Spark costs around the loops of the language models.

A compact model is trained for a moment on a synthetic log. Then each stage runs in Spark's workers,
and the very function that they run is called here on the same batches with as many threads. The
value is the share of the stage's core-seconds, those of the driver and the JVM included, that the
loop alone takes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import torch
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark import Project
from llm_i2i_spark.datasets.tables import write_synthetic
from llm_i2i_spark.lake.batch_inference import infer, infer_partition
from tests.benchmarks.report import measure_each, median, process_seconds, report
from tests.benchmarks.swing.processes import core_seconds

STAGES = ("generate", "discriminate")
BATCH_ROWS = 10_000
"""As Spark's Arrow batches."""
SETTINGS = {
    "spark.master": "local[2]",
    "spark.memory": "2g",
    "sft.layers": 4,
    "sft.hidden_size": 256,
    "sft.intermediate_size": 1024,
    "sft.epochs": 1,
    "sft.least_steps": 0,
    "sft.discriminator.epochs": 1,
    "sft.max_steps": 20,
}


def main() -> int:
    options = parse(sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="inference-benchmark-") as folder:
        users = round(10_000 * options.scale)
        interactions, items = write_synthetic(Path(folder), users, max(200, users // 4))
        given = {key: value for key, _, value in (one.partition("=") for one in options.settings)}
        project = Project(
            f"{folder}/lake", interactions=interactions, items=items, settings={**SETTINGS, **given}
        )
        project.run(last="generate")  # a warm session, and something to discriminate
        chosen = options.only.split(",") if options.only else STAGES
        return measure_each(chosen, partial(measure, project, options.repeat, users))


def measure(project: Project, repeat: int, users: int, stage: str) -> None:
    """Print the share of a stage's core-seconds that its loop takes."""
    with recorded_calls(stage) as calls:
        project.run(first=stage, last=stage, force=True)
    in_spark = [_core_seconds_of(project, stage) for _ in range(repeat)]
    loops = [(_batches(inputs), task, rest) for inputs, task, *rest in calls]

    def run_loops() -> None:
        for batches, task, (load_model, infer_batch) in loops:
            for _ in infer_partition(iter(batches), task, load_model, infer_batch):
                pass

    torch.set_num_threads(1)  # as Spark gives each worker, by OMP_NUM_THREADS
    run_loops()  # loads the model
    alone = [process_seconds(run_loops) for _ in range(repeat)]
    stage_seconds, loop_seconds = median(in_spark), median(alone)
    report(
        f"spark_around_{stage}",
        loop_seconds / stage_seconds,
        ">=",
        0.9,
        stage_core_seconds=stage_seconds,
        loop_core_seconds=loop_seconds,
        users=users,
    )


@contextmanager
def recorded_calls(stage: str) -> Iterator[list[Sequence[Any]]]:
    """What a stage gives to `infer`, which does its work all the same: inputs, task, loader,
    function of a batch.
    """
    module: Any = import_module(f"llm_i2i_spark.{stage}.execute")
    calls: list[Sequence[Any]] = []

    def recorded(inputs: Any, task: Any, load_model: Any, infer_batch: Any, *rest: Any) -> Any:
        calls.append((inputs, task, load_model, infer_batch))
        return infer(inputs, task, load_model, infer_batch, *rest)

    module.infer = recorded
    try:
        yield calls
    finally:
        module.infer = infer


def _core_seconds_of(project: Project, stage: str) -> float:
    before = core_seconds()
    project.run(first=stage, last=stage, force=True)
    return core_seconds() - before


def _batches(inputs: DataFrame) -> list[pa.RecordBatch]:
    """The batches that the stage's workers get: none spans two partitions."""
    table = inputs.withColumn("partition", F.spark_partition_id()).toArrow()
    numbers = table["partition"]
    partitions = [table.filter(pc.equal(numbers, one)) for one in numbers.unique()]
    return [
        batch
        for rows in partitions
        for batch in rows.drop(["partition"]).combine_chunks().to_batches(BATCH_ROWS)
    ]


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="inference", description=__doc__)
    parser.add_argument("--only", default=None, help="stages, separated by commas")
    parser.add_argument("--repeat", type=int, default=3, help="runs of which the median counts")
    parser.add_argument("--scale", type=float, default=1.0, help="of 10,000 users")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
