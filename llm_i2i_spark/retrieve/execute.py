"""Stage retrieve: steps of users in, examples with their reasoning out, and what the examples that
are similar to each user's history propose.
"""

from __future__ import annotations

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import ArrayType, FloatType

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


def execute(run: StageRun) -> None:
    """Write `in_context_examples`, up to `retrieve.examples` steps of users, and `retrieved`, up to
    `retrieve.per_user` items a user that others took in the steps most similar to the user's
    history. Both are made from the interactions that models may see, and from no other.
    """
    config, settings = run.config, run.config.retrieve
    items = run.read("items")
    interactions = rows_seen(run.read("interactions"), config.model_folds, config.split.hold_back)
    checkpoint = find_checkpoint(run.read("checkpoints"), "generator")
    length = config.generator_history
    as_table = result_schema(TABLES["in_context_examples"])
    task = ExampleTask(
        checkpoint_path=checkpoint.path,
        model_digest=checkpoint.digest,
        prompt_digest=prompt_digest(config.layout, GENERATOR),
        batch_tokens=settings.batch_tokens,
        device=settings.device,
        schema=to_arrow_schema(as_table.add("vector", ArrayType(FloatType()))),
        reasoning_weight=settings.reasoning_weight,
    )
    # One item more, so that the latest step shows as long a history as the others.
    steps = build_histories(interactions, items, config.model_folds, length + 1)
    drawn = in_user_buckets(
        draw_examples(steps, settings.examples, config.seed),
        settings.partitions,
        config.seed,
        order=("user_id", "example_id"),
    )
    title = f"generator {checkpoint.digest[:12]}, {settings.examples:,} in-context examples"
    examples = run.staged(infer(drawn, task, load_generator, make_examples, title), title)
    _write(run, "in_context_examples", examples.drop("vector"), checkpoint.digest)
    histories = build_histories(interactions, items, config.model_folds, length)
    owned = owned_items(interactions, config.model_folds)
    users = in_user_buckets(
        histories.join(owned, "user_id").select("user_id", "history", "owned"),
        settings.partitions,
        config.seed,
        order=("user_id",),
    )
    retrieve = RetrieveTask(
        **{**vars(task), "schema": to_arrow_schema(result_schema(TABLES["retrieved"]))},
        examples=_collect(examples),
        neighbors=settings.neighbors,
        temperature=settings.temperature,
        per_user=settings.per_user,
    )
    title = f"generator {checkpoint.digest[:12]}, {settings.neighbors} examples a user"
    proposed = infer(users, retrieve, load_retriever, retrieve_batch, title)
    _write(run, "retrieved", proposed, checkpoint.digest)


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


def _write(run: StageRun, table: str, rows: DataFrame, digest: str) -> None:
    branch = F.lit(run.scopes[0]["branch"]).alias("branch")
    run.write(table, rows.select(branch, "*"), f"retrieve: {table}", model_digest=digest)
