"""Stage retrieve: steps of users in, examples with their reasoning out, and what the examples that
are similar to each user's history propose.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import ArrayType, FloatType, StructField, StructType

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.kernels.nearest_rows import quantize
from llm_i2i_spark.lake.batch_inference import in_user_buckets, infer
from llm_i2i_spark.lake.checkpoints import find_checkpoint
from llm_i2i_spark.lake.splits import rows_seen
from llm_i2i_spark.lake.stage_run import StageRun
from llm_i2i_spark.lake.tables import result_schema
from llm_i2i_spark.lake.user_histories import build_histories, owned_items
from llm_i2i_spark.prompts.templates import GENERATOR, prompt_digest
from llm_i2i_spark.retrieve.transform import draw_examples
from llm_i2i_spark.retrieve.worker import (
    Examples,
    ExampleTask,
    RetrieveTask,
    load_generator,
    load_retriever,
    make_examples,
    retrieve_batch,
)

VECTOR = StructField("vector", ArrayType(FloatType()))
"""By which an example is compared; no column of the table."""


def execute(run: StageRun) -> None:
    """Write `in_context_examples`, up to `retrieve.examples` steps of users, and `retrieved`, up to
    `retrieve.per_user` items a user that others took in the steps most similar to the user's
    history. Both are made from the interactions that models may see, and from no other.
    """
    config, settings = run.config, run.config.retrieve
    interactions = rows_seen(run.read("interactions"), config.model_folds, config.split.hold_back)
    checkpoint = find_checkpoint(run.read("checkpoints"), "generator")
    task = ExampleTask(
        checkpoint_path=checkpoint.path,
        model_digest=checkpoint.digest,
        prompt_digest=prompt_digest(config.layout, GENERATOR),
        batch_tokens=settings.batch_tokens,
        device=settings.device,
        schema=_schema("in_context_examples", VECTOR),
        reasoning_weight=settings.reasoning_weight,
    )
    examples, version = _write_examples(run, interactions, task)
    retrieve = RetrieveTask(
        **{**vars(task), "schema": _schema("retrieved")},
        examples=_collect(examples),
        neighbors=settings.neighbors,
        temperature=settings.temperature,
        per_user=settings.per_user,
    )
    title = f"generator {checkpoint.digest[:12]}, {settings.neighbors} examples a user"
    users = _users(run, interactions)
    run.write(
        "retrieved",
        _of_branch(
            run,
            infer(
                users,
                retrieve,
                load_retriever,
                retrieve_batch,
                title,
                run.kept_results("retrieved"),
                run.token_counter(),
            ),
        ),
        "retrieve",
        model_digest=checkpoint.digest,
        examples_version=version,
    )


def _write_examples(
    run: StageRun, interactions: DataFrame, task: ExampleTask
) -> tuple[DataFrame, int]:
    """Draw steps, write `in_context_examples`; the rows with their vectors, and the version."""
    config, settings = run.config, run.config.retrieve
    # One item more, so that the latest step shows as long a history as the others.
    shown = config.generator_history + 1
    steps = build_histories(interactions, run.read("items"), config.model_folds, shown)
    drawn = in_user_buckets(
        draw_examples(steps, settings.examples, config.seed),
        settings.partitions,
        config.seed,
        order=("user_id", "example_id"),
    )
    title = f"generator {task.model_digest[:12]}, {settings.examples:,} in-context examples"
    examples = run.staged(
        infer(
            drawn,
            task,
            load_generator,
            make_examples,
            title,
            run.kept_results("in_context_examples"),
            run.token_counter(),
        ),
        title,
    )
    version = run.write(
        "in_context_examples",
        _of_branch(run, examples.drop("vector")),
        "retrieve: examples",
        model_digest=task.model_digest,
    )
    return examples, version


def _users(run: StageRun, interactions: DataFrame) -> DataFrame:
    """Users with history and owned items, in fixed buckets, as the generator sees them."""
    config = run.config
    histories = build_histories(
        interactions, run.read("items"), config.model_folds, config.generator_history
    )
    users = histories.join(owned_items(interactions, config.model_folds), "user_id")
    return in_user_buckets(
        users.select("user_id", "history", "owned"),
        config.retrieve.partitions,
        config.seed,
        order=("user_id",),
    )


def _schema(table: str, *more: StructField) -> pa.Schema:
    """Arrow schema of one result of a table and of further columns."""
    return to_arrow_schema(StructType([*result_schema(TABLES[table]), *more]))


def _of_branch(run: StageRun, rows: DataFrame) -> DataFrame:
    return rows.select(F.lit(run.scopes[0]["branch"]).alias("branch"), "*")


def _collect(examples: DataFrame) -> Examples:
    """The examples on the driver, from where each task gets them: 2 bytes a number of a vector.

    Raises:
        InputDataError: there are none.
    """
    rows = examples.select("example_id", "user_id", "item_id", "vector").toArrow()
    if not len(rows):
        raise InputDataError(
            "No user has two items that the generator knows, so there is no step to compare users"
            " by; leave out variant llm_cf."
        )
    rows = rows.sort_by("example_id")
    items, targets = np.unique(rows["item_id"].to_pylist(), return_inverse=True)
    flat = rows["vector"].combine_chunks().flatten().to_numpy()
    return Examples(
        ids=rows["example_id"].to_pylist(),
        user_ids=rows["user_id"].to_pylist(),
        targets=targets.astype(np.int64),
        items=items.tolist(),
        vectors=quantize(flat.reshape(len(rows), -1)),
    )
