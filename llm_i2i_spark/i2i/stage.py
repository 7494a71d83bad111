"""Stage i2i: weighted interactions in, item similarities out, for each variant and backbone."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame

from llm_i2i_spark.backbones.cooccurrence.encoded_batches import encode_rows
from llm_i2i_spark.backbones.cooccurrence.engine import similar_items
from llm_i2i_spark.backbones.cooccurrence.item_ids import collect_items, number_items
from llm_i2i_spark.backbones.cooccurrence.item_norms import BACKBONES, measure_items
from llm_i2i_spark.backbones.cooccurrence.plan import make_plan, measure_degrees
from llm_i2i_spark.backbones.cooccurrence.user_lists import user_lists, user_parts
from llm_i2i_spark.backbones.cooccurrence.warmup import start_compiling, wait_until_compiled
from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.stage import Stage
from llm_i2i_spark.config.i2i import I2iConfig
from llm_i2i_spark.lake.arrow_batches import full_batches
from llm_i2i_spark.lake.capabilities import cores
from llm_i2i_spark.lake.stage_run import StageRun


def execute(run: StageRun) -> None:
    """Write `item_similarity`: each variant of the run by each backbone.

    Raises:
        UserError: a variant of the run has no rows, or its plan cannot fit.
    """
    parts, plans = [], {}
    for scope in run.scopes:
        settings = run.config.i2i.model_copy(update={"backbone": scope["backbone"]})
        frame, plans[f"{scope['variant']}/{scope['backbone']}"] = _similar(run, scope, settings)
        parts.append(frame)
    similar = reduce(DataFrame.unionByName, parts)
    run.write("item_similarity", similar, "i2i: similarities", plans=plans)


def _similar(
    run: StageRun, scope: dict[str, str], settings: I2iConfig
) -> tuple[DataFrame, dict[str, int]]:
    name, config = scope["variant"], run.config
    rows = run.read("fused", {"variant": name})
    with full_batches(run.spark):
        chunks = run.staged(encode_rows(rows, settings), f"i2i: reading {name}")
    if chunks.isEmpty():
        raise UserError(
            f"Table fused has no rows of variant {name}; run stage fuse with --variants"
            f" {name} first."
        )
    numbers = run.staged(number_items({name: chunks}, config.seed), "i2i: item numbers")
    items = collect_items(numbers, config.seed)
    wait_until_compiled(config)
    made = user_lists(chunks, items, settings, user_parts(items, cores(run.spark)))
    lists = run.staged(made, f"i2i: lists of {name}")
    plan = make_plan(measure_degrees(lists, items.clicks), settings, cores(run.spark))
    log_message(f"  {name}: {plan.sentence()}")
    norms = measure_items(rows, items) if settings.backbone in BACKBONES else None
    return similar_items(lists, name, items, plan.blocks, settings, norms), plan.numbers()


STAGE = Stage(
    name="i2i",
    reads=("fused",),
    settings=("i2i.{backbone}", "i2i.top_k"),
    code=("i2i", "backbones", "kernels"),
    execute=execute,
    prepare=start_compiling,
)
