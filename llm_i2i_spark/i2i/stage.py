"""Stage i2i: reads `fused`, writes `item_numbers` and `item_similarity`, the latter for all
variants of the run in one commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import reduce

import numpy as np
import numpy.typing as npt
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.backbones.cooccurrence.encoded_batches import encode_rows
from llm_i2i_spark.backbones.cooccurrence.engine import similar_items
from llm_i2i_spark.backbones.cooccurrence.incremental import find_increment, settings_digest
from llm_i2i_spark.backbones.cooccurrence.item_blocks import share_of_work
from llm_i2i_spark.backbones.cooccurrence.item_ids import (
    Items,
    collect_items,
    count_clicks,
    number_items,
)
from llm_i2i_spark.backbones.cooccurrence.item_norms import BACKBONES, measure_items
from llm_i2i_spark.backbones.cooccurrence.plan import Plan, make_plan, measure_degrees
from llm_i2i_spark.backbones.cooccurrence.user_lists import user_lists, user_parts
from llm_i2i_spark.backbones.cooccurrence.warmup import start_compiling, wait_until_compiled
from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.run_record import Run, Stage
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.lake.arrow_batches import full_batches
from llm_i2i_spark.lake.capabilities import cores
from llm_i2i_spark.lake.materialize import materialized
from llm_i2i_spark.lake.tables import Lake


def execute(lake: Lake, config: Config, run: Run) -> None:
    """Compute the similarities of each variant.

    Raises:
        UserError: a variant of the run has no rows, or its plan cannot fit.
    """
    fused = lake.read("fused", run.inputs["fused"]).where(F.col("variant").isin(*run.variants))
    rows = {name: fused.where(F.col("variant") == name) for name in run.variants}
    with ExitStack() as staged:
        with full_batches(lake.spark):
            encoded = {
                name: materialized(
                    lake, encode_rows(rows[name], config.i2i), f"i2i: reading {name}"
                )
                for name in run.variants
            }
            chunks = {name: staged.enter_context(frame) for name, frame in encoded.items()}
        for name, own in chunks.items():
            if own.isEmpty():
                raise UserError(
                    f"Table fused has no rows of variant {name}; run stage fuse with --variants"
                    f" {','.join(run.variants)} first."
                )
        numbers = lake.write(
            number_items(chunks, config.seed),
            run.record(config, "item_numbers"),
            "i2i: item numbers",
        )
        numbered = collect_items(lake.read("item_numbers", numbers), config.seed)
        # What is expected of a variant goes by its own clicks, not by those of the variant where an
        # item has most.
        items = {
            name: count_clicks(own, numbered) if len(chunks) > 1 else numbered
            for name, own in chunks.items()
        }
        wait_until_compiled(config)
        made = {
            name: user_lists(
                own, items[name], config.i2i, user_parts(items[name], cores(lake.spark))
            )
            for name, own in chunks.items()
        }
        lists = {
            name: staged.enter_context(materialized(lake, frame, f"i2i: lists of {name}"))
            for name, frame in made.items()
        }
        plans = {
            name: _make_plan(lake, name, lists[name], items[name], config) for name in run.variants
        }
        increment = find_increment(lake, config, run, staged)
        wanted = increment.wanted(numbered) if increment else {}
        parts = []
        for name in run.variants:
            statistics = (
                measure_items(rows[name], numbered) if config.i2i.backbone in BACKBONES else None
            )
            parts.append(
                similar_items(
                    lists[name],
                    name,
                    items[name],
                    plans[name].blocks,
                    config.i2i,
                    statistics,
                    wanted.get(name),
                )
            )
        details = {
            "engine": config.i2i.engine,
            "settings": settings_digest(config),
            "variants": list(run.variants),
            "plans": {name: plan.numbers() for name, plan in plans.items()},
            "saved_work": _saved_work(items, wanted, config),
        }
        record = run.record(config, "item_similarity", **details)
        blocks = sum(plan.blocks for plan in plans.values())
        kept = [increment.kept] if increment else []
        lake.write(
            reduce(DataFrame.unionByName, parts + kept),
            record,
            f"i2i: {config.i2i.backbone}, {blocks} blocks",
        )


def _make_plan(lake: Lake, variant: str, lists: DataFrame, items: Items, config: Config) -> Plan:
    """Measure the degrees of a variant, make its plan and say it."""
    degrees = measure_degrees(lists, items.clicks)
    plan = make_plan(degrees, config.i2i, cores(lake.spark))
    log_message(f"  {variant}: {plan.sentence()}")
    return plan


def _saved_work(
    items: Mapping[str, Items], wanted: Mapping[str, npt.NDArray[np.bool_]], config: Config
) -> dict[str, float]:
    """Say how much of each variant's work is left out, as shares of the kernel's work."""
    saved = {}
    for variant, rows in wanted.items():
        saved[variant] = 1.0 - share_of_work(
            items[variant].clicks, rows, config.i2i.swing.max_users_per_item
        )
        log_message(
            f"  {variant}: {int(rows.sum()):,} of {len(rows):,} items have users with new rows;"
            f" {saved[variant]:.0%} of the work is saved"
        )
    return saved


STAGE = Stage(
    name="i2i",
    needs=lambda config, variants: ("fused",),
    writes=("item_numbers", "item_similarity"),
    settings=("i2i",),
    execute=execute,
    prepare=start_compiling,
)
