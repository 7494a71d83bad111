"""Stage generate: histories of users and single items in, proposed items out."""

from __future__ import annotations

from dataclasses import replace

from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.generate.transform import generator_inputs, item_inputs
from llm_i2i_spark.generate.worker import GenerateTask, load_generator, propose_batch
from llm_i2i_spark.lake.batch_inference import infer
from llm_i2i_spark.lake.checkpoints import find_checkpoint
from llm_i2i_spark.lake.splits import rows_seen
from llm_i2i_spark.lake.stage_run import StageRun
from llm_i2i_spark.lake.tables import result_schema
from llm_i2i_spark.lake.user_histories import build_histories, owned_items
from llm_i2i_spark.prompts.templates import GENERATOR, prompt_digest


def execute(run: StageRun) -> None:
    """Write `candidates`, up to `generate.per_user` catalogue items a user, none of them owned, and
    `item_candidates`, up to `generate.per_item` other items after each item of the catalogue.
    """
    config, branch = run.config, run.scopes[0]["branch"]
    items = run.read("items")
    interactions = rows_seen(run.read("interactions"), config.model_folds, config.split.hold_back)
    checkpoint = find_checkpoint(run.read("checkpoints"), "generator")
    settings = config.generate
    histories = build_histories(interactions, items, config.model_folds, config.generator_history)
    users = generator_inputs(
        histories, owned_items(interactions, config.model_folds), settings.partitions, config.seed
    )
    task = GenerateTask(
        checkpoint_path=checkpoint.path,
        model_digest=checkpoint.digest,
        prompt_digest=prompt_digest(config.layout, GENERATOR),
        decode_digest=config.decode_digest,
        per_user=settings.per_user,
        batch_tokens=settings.batch_tokens,
        device=settings.device,
        schema=to_arrow_schema(result_schema(TABLES["candidates"])),
    )
    title = f"generator {checkpoint.digest[:12]}, {settings.per_user} items a user"
    candidates = infer(
        users,
        task,
        load_generator,
        propose_batch,
        title,
        run.kept_results("candidates"),
        run.token_counter(),
    )
    run.write(
        "candidates",
        candidates.select(F.lit(branch).alias("branch"), "*"),
        "generate",
        model_digest=checkpoint.digest,
    )
    # Without rows no worker loads the model, and the table is written empty.
    asked = items if settings.per_item else items.limit(0)
    of_items = infer(
        item_inputs(asked, settings.partitions, config.seed),
        replace(
            task,
            per_user=max(settings.per_item, 1),
            decode_digest=config.digest("generate.per_item"),
        ),
        load_generator,
        propose_batch,
        f"generator {checkpoint.digest[:12]}, {settings.per_item} items an item",
        run.kept_results("item_candidates"),
        run.token_counter(),
    ).withColumnsRenamed({"item_id": "neighbor_id", "user_id": "item_id"})
    run.write(
        "item_candidates",
        of_items.select(F.lit(branch).alias("branch"), "*"),
        "generate: items",
        model_digest=checkpoint.digest,
    )
