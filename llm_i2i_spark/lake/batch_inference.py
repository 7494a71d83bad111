"""Batch inference: a model runs over users inside Spark's Python workers.

Users are put in a fixed number of buckets, so that the batches that the model sees, and with them
the last bits of its results, are the same on any cluster. A worker loads the model once, and only
for a partition that has rows. Where the cluster schedules GPUs, a task asks for one, and uses the
one that it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.errors import LlmI2iError, StageError
from llm_i2i_spark.base.phases import reached
from llm_i2i_spark.lake.capabilities import gpu_profile
from llm_i2i_spark.lake.grouped_map import partition_each
from llm_i2i_spark.lake.kept_results import KeptResults
from llm_i2i_spark.lake.user_histories import user_bucket

if TYPE_CHECKING:
    from pyspark import Accumulator


@dataclass(frozen=True)
class InferenceTask:
    """What a Python worker needs to run a model; pickled and sent with the function.

    Attributes:
        checkpoint_path: folder of the checkpoint, readable from every worker.
        model_digest: digest that the checkpoint must have; a column of the results.
        prompt_digest: digest of the prompts' wording; a column of the results.
        batch_tokens: tokens of one forward pass at most, padding counted.
        device: auto, cpu or cuda.
        schema: Arrow schema of the results, digests included.
    """

    checkpoint_path: str
    model_digest: str
    prompt_digest: str
    batch_tokens: int
    device: str
    schema: pa.Schema

    @property
    def constants(self) -> dict[str, str]:
        """Columns that are the same on every row, which no worker sends: digests are longer than
        all the rest of a row.
        """
        return {"model_digest": self.model_digest, "prompt_digest": self.prompt_digest}

    @property
    def inferred_schema(self) -> pa.Schema:
        """Arrow schema of what the workers send."""
        return pa.schema([field for field in self.schema if field.name not in self.constants])


class ReadsTokens(Protocol):
    """A model that knows how many tokens it has read."""

    @property
    def tokens_read(self) -> int:
        """Tokens of all its inputs so far, padding not counted."""


Task = TypeVar("Task", bound=InferenceTask)
Model = TypeVar("Model", bound=ReadsTokens)
Columns = Mapping[str, Any]

LoadModel = Callable[[Task, str | None], Model]
"""Loads the model of a task; its second argument is the address of the task's GPU, or None."""
InferBatch = Callable[[pa.RecordBatch, Model, Task], Columns]
"""Columns of the results for a batch of users, without the constants of the task."""


def in_user_buckets(rows: DataFrame, buckets: int, seed: int, order: Sequence[str]) -> DataFrame:
    """The rows in fixed partitions and a fixed order, whatever the size of the cluster.

    Args:
        rows: with `user_id`.
        buckets: number of partitions.
        seed: of the hash that assigns users to buckets.
        order: columns that order the rows of a bucket.

    Returns:
        The same columns.
    """
    in_buckets = rows.withColumn("bucket", user_bucket(buckets, seed))
    return (
        partition_each(in_buckets, "bucket", buckets)
        .sortWithinPartitions("bucket", *order)
        .select(*rows.columns)
    )


def infer(
    inputs: DataFrame,
    task: Task,
    load_model: LoadModel[Task, Model],
    infer_batch: InferBatch[Model, Task],
    title: str,
    kept: KeptResults | None = None,
    counter: Accumulator[int] | None = None,
) -> DataFrame:
    """Run a model over the partitions of its inputs.

    Args:
        inputs: of `in_user_buckets`.
        task: model, settings and schema of the results.
        load_model: called once a worker.
        infer_batch: called for every batch of rows.
        title: words for the log: which model runs on what.
        kept: where results are kept until the stage has committed; None for nowhere.
        counter: that the workers add the tokens to which the model reads.

    Returns:
        Rows with the task's schema, not yet computed.
    """
    profile = gpu_profile(inputs.sparkSession)
    log_message(f"  {title}, {'one GPU a task' if profile else 'plain tasks'}")
    if kept is not None and kept.count():
        log_message(f"  a stopped run has left the results of {kept.count()} batches")
    function = partial(
        infer_partition,
        task=task,
        load_model=load_model,
        infer_batch=infer_batch,
        kept=kept,
        counter=counter,
    )
    rows = inputs.mapInArrow(function, from_arrow_schema(task.inferred_schema), profile=profile)
    constants = {name: F.lit(value).alias(name) for name, value in task.constants.items()}
    return rows.select(*(constants.get(name, F.col(name)) for name in task.schema.names))


def infer_partition(
    batches: Iterator[pa.RecordBatch],
    task: Task,
    load_model: LoadModel[Task, Model],
    infer_batch: InferBatch[Model, Task],
    kept: KeptResults | None = None,
    counter: Accumulator[int] | None = None,
) -> Iterator[pa.RecordBatch]:
    """The function that Spark sends to its workers; arguments as in `infer`.

    Yields:
        A batch of results for each batch of inputs, without the constants of the task.

    Raises:
        StageError: the model fails on a row, whose `user_id` is named.
    """
    model: Model | None = None
    for batch in batches:
        if batch.num_rows == 0:
            continue
        key = kept.key(batch, task.model_digest, task.prompt_digest) if kept else ""
        found = kept.read(key) if kept else None
        if found is not None:
            yield found
            continue
        reached("batch begins", batch.num_rows, key)
        if model is None:  # in the loop, so that an empty partition loads no model
            model = load_model(task, task_gpu())
        before = 0 if counter is None else model.tokens_read
        columns = _columns(batch, model, task, infer_batch)
        found = pa.RecordBatch.from_pydict(columns, schema=task.inferred_schema)
        if counter is not None:
            counter.add(model.tokens_read - before)
        reached("batch inferred", batch.num_rows, key)
        if kept:
            kept.write(key, found)
        yield found


def _columns(
    batch: pa.RecordBatch, model: Model, task: Task, infer_batch: InferBatch[Model, Task]
) -> Columns:
    """What a model says of a batch; a row that it fails on is named."""
    try:
        return infer_batch(batch, model, task)
    except LlmI2iError:
        raise
    except Exception as error:
        row = _failing_row(batch, model, task, infer_batch)
        if row is None:
            raise
        said = str(error).partition("\n")[0]
        raise StageError(
            f"The model fails on the row of {row} ({type(error).__name__}: {said}); as it would"
            " again, leave that id out of the log, and report it."
        ) from error


def _failing_row(
    batch: pa.RecordBatch, model: Model, task: Task, infer_batch: InferBatch[Model, Task]
) -> str | None:
    """The `user_id` of the first row that fails alone, too; None where none does."""
    for row in range(batch.num_rows):
        alone = batch.slice(row, 1)
        try:
            infer_batch(alone, model, task)
        except Exception:
            return str(alone.column("user_id")[0].as_py())
    return None


def task_gpu() -> str | None:
    """Address of the GPU that Spark gave to the running task, such as "3"; None for none."""
    context = TaskContext.get()
    gpu = context.resources().get("gpu") if context is not None else None
    return gpu.addresses[0] if gpu is not None and gpu.addresses else None
