"""Batch inference: fixed buckets, one model a worker, the task's own GPU, readable errors.

The models of these tests are small stand-ins, since `lake` knows none; real ones run in
tests/generate.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import MissingDependencyError, StageError
from llm_i2i_spark.lake.batch_inference import (
    InferenceTask,
    in_user_buckets,
    infer,
    infer_partition,
)
from llm_i2i_spark.lake.capabilities import SPARK_ERRORS
from llm_i2i_spark.lake.worker_errors import worker_error

SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("user_id", "seen", "model_digest", "prompt_digest")]
)
TASK = InferenceTask("folder", "model", "prompt", batch_tokens=8, device="auto", schema=SCHEMA)


class Loader:
    """Counts how often a model is loaded."""

    def __init__(self) -> None:
        self.loaded: list[str | None] = []

    def __call__(self, task: InferenceTask, gpu_address: str | None) -> str:
        self.loaded.append(gpu_address)
        return f"{task.checkpoint_path}:{gpu_address}"


def name_model(batch: pa.RecordBatch, model: str, task: InferenceTask) -> dict[str, list[str]]:
    users = batch.column("user_id").to_pylist()
    return {"user_id": users, "seen": [model] * len(users)}


def batches(*users: list[str]) -> Iterator[pa.RecordBatch]:
    return iter([pa.RecordBatch.from_pydict({"user_id": pa.array(u, pa.string())}) for u in users])


def test_a_model_is_loaded_once_and_what_is_the_same_on_every_row_is_not_sent() -> None:
    loader = Loader()
    found = list(infer_partition(batches(["a", "b"], [], ["c"]), TASK, loader, name_model))
    assert loader.loaded == [None]
    assert [batch.schema for batch in found] == [TASK.inferred_schema, TASK.inferred_schema]
    assert [row for batch in found for row in batch.to_pylist()] == [
        {"user_id": user, "seen": "folder:None"} for user in "abc"
    ]


@pytest.mark.spark
def test_the_digests_of_model_and_prompt_are_on_every_row(spark: SparkSession) -> None:
    users = spark.range(3).selectExpr("concat('u', id) AS user_id")
    rows = infer(users, TASK, Loader(), name_model, "a model")
    assert rows.columns == SCHEMA.names
    assert [tuple(row) for row in rows.orderBy("user_id").collect()] == [
        (f"u{user}", "folder:None", "model", "prompt") for user in range(3)
    ]


def test_an_empty_partition_loads_no_model() -> None:
    loader = Loader()
    assert list(infer_partition(batches([], []), TASK, loader, name_model)) == []
    assert loader.loaded == []


def list_batch(batch: pa.RecordBatch, model: str, task: InferenceTask) -> dict[str, list[str]]:
    """One row a batch: the users that the model sees together, in order."""
    users = batch.column("user_id").to_pylist()
    return {"user_id": users[:1], "seen": [",".join(users)]}


@pytest.mark.spark
@pytest.mark.faults("F22", end="same")
def test_the_model_sees_the_same_batches_however_the_rows_were_spread(spark: SparkSession) -> None:
    users = spark.range(60).select(F.concat(F.lit("u"), "id").alias("user_id"))

    def seen(partitions: int) -> list[str]:
        buckets = in_user_buckets(users.repartition(partitions), 4, seed=1, order=("user_id",))
        rows = infer(buckets, TASK, Loader(), list_batch, "a model").collect()
        return sorted(row["seen"] for row in rows)

    together = seen(1)
    assert together == seen(7)
    assert 2 <= len(together) <= 4


class NoModel:
    """A loader that fails as a worker without CUDA, or with a damaged checkpoint, does."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, task: InferenceTask, gpu_address: str | None) -> str:
        raise self.error


@pytest.mark.spark
@pytest.mark.parametrize(
    "error",
    [
        MissingDependencyError("There is no CUDA device here: set the stage's device to auto."),
        StageError("The scores are not numbers: run sft again."),
    ],
)
def test_an_error_of_a_worker_arrives_with_its_kind_and_its_sentence(
    spark: SparkSession, error: Exception
) -> None:
    rows = infer(spark.range(1).selectExpr("'u' AS user_id"), TASK, NoModel(error), name_model, "m")
    with pytest.raises(SPARK_ERRORS) as raised:
        rows.collect()
    found = worker_error(raised.value)
    assert type(found) is type(error)
    assert str(found) == str(error)


def reciprocals(batch: pa.RecordBatch, model: str, task: InferenceTask) -> dict[str, list[str]]:
    """A model that fails on the user 0, and on batches of more than three users."""
    users = batch.column("user_id").to_pylist()
    if len(users) > 3:
        raise MemoryError("four users are too many")
    return {"user_id": users, "seen": [str(1 / int(user)) for user in users]}


@pytest.mark.faults("F4", end="error")
def test_the_row_that_a_model_fails_on_is_named_and_what_no_row_alone_causes_is_left_as_it_is() -> (
    None
):
    with pytest.raises(StageError, match=r"fails on the row of 0 \(ZeroDivisionError: ") as caught:
        list(infer_partition(batches(["4", "2"], ["5", "0"]), TASK, Loader(), reciprocals))
    assert "\n" not in str(caught.value)
    with pytest.raises(MemoryError, match="four users"):
        list(infer_partition(batches(["1", "2", "3", "4"]), TASK, Loader(), reciprocals))


@pytest.mark.spark
def test_an_error_that_is_not_of_this_package_is_left_to_spark(spark: SparkSession) -> None:
    unknown = NoModel(ValueError("no such thing"))
    rows = infer(spark.range(1).selectExpr("'u' AS user_id"), TASK, unknown, name_model, "m")
    with pytest.raises(SPARK_ERRORS) as raised:
        rows.collect()
    assert worker_error(raised.value) is None


CLUSTER = """
import json, sys
from pyspark.sql import SparkSession
from tests.lake.test_batch_inference import Loader, TASK, infer, name_model
builder = SparkSession.builder.master("local-cluster[1,1,1024]")
for key, value in json.loads(sys.argv[1]).items():
    builder = builder.config(key, value)
users = builder.getOrCreate().range(0, 1, 1, 1).selectExpr("'u' AS user_id")
print(infer(users, TASK, Loader(), name_model, "a model").collect()[0]["seen"])
"""


@pytest.mark.spark
def test_a_task_uses_the_gpu_that_the_cluster_gave_it(tmp_path: Path) -> None:
    discovery = tmp_path / "gpus.sh"
    discovery.write_text('#!/bin/sh\necho \'{"name": "gpu", "addresses": ["3"]}\'\n')
    discovery.chmod(0o755)
    settings = {
        "spark.executor.memory": "512m",
        "spark.ui.enabled": "false",
        "spark.worker.resource.gpu.amount": "1",
        "spark.worker.resource.gpu.discoveryScript": str(discovery),
        "spark.executor.resource.gpu.amount": "1",
    }
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "PYSPARK_PYTHON": sys.executable}
    done = subprocess.run(
        [sys.executable, "-c", CLUSTER, json.dumps(settings)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**environment, "SPARK_LOCAL_IP": "127.0.0.1"},
        check=False,
    )
    assert done.stdout.strip() == "folder:3", done.stderr[-2000:]
