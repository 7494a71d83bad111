"""From interactions to similarities: the steps that all co-occurrence backbones share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pyspark.sql import DataFrame

from llm_i2i_spark.backbones.base import BackboneRun, PreviousResult
from llm_i2i_spark.backbones.cooccurrence.block_engine import BlockTask, similar_by_block
from llm_i2i_spark.backbones.cooccurrence.encoded_batches import encode_rows
from llm_i2i_spark.backbones.cooccurrence.item_blocks import (
    assign_balanced,
    assign_by_community,
    share_of_work,
)
from llm_i2i_spark.backbones.cooccurrence.item_ids import (
    ItemIds,
    build_item_ids,
    collect_item_ids,
    restore_item_ids,
)
from llm_i2i_spark.backbones.cooccurrence.item_norms import ItemNorms, measure_item_norms
from llm_i2i_spark.backbones.cooccurrence.plan import make_plan, measure_degrees
from llm_i2i_spark.backbones.cooccurrence.user_lists import build_user_lists, count_partitions
from llm_i2i_spark.backbones.cooccurrence.warmup import wait_for_warmup
from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.kernels.arrays import BoolArray, UInt16Array
from llm_i2i_spark.kernels.edge_format import NO_BLOCK
from llm_i2i_spark.kernels.hash_sampling import sampling_thresholds
from llm_i2i_spark.lake.arrow_batches import full_batches
from llm_i2i_spark.lake.capabilities import cores

if TYPE_CHECKING:
    from llm_i2i_spark.backbones.cooccurrence.backbone import CooccurrenceBackbone


def find_similarities(
    backbone: CooccurrenceBackbone, interactions: DataFrame, run: BackboneRun
) -> DataFrame:
    """The similarities of all items; `Backbone.compute` has the contract.

    The numbers of the plan go to `run.attributes["plan"]`, the share of the work that the previous
    result saves to `run.attributes["saved_work"]`.

    Raises:
        UserError: the plan cannot fit.
    """
    items, lists = read_interactions(backbone, interactions, run)
    degrees = measure_degrees(lists, items.clicks)
    plan = make_plan(
        degrees, backbone.max_users_per_item, run.options, cores(interactions.sparkSession)
    )
    run.attributes["plan"] = plan.numbers()
    log_message(f"  {run.title}: {plan.sentence()}")
    if run.options.engine == "reference":
        similar = backbone.reference_neighbors(lists, items)
        return restore_item_ids(similar, items.table, len(items.clicks))
    norms = measure_item_norms(interactions, items) if backbone.needs_item_norms else ItemNorms()
    if run.previous is None:
        return similar_by_blocks(backbone, lists, items, plan.blocks, run, norms)
    changed = _changed_rows(backbone, run.previous, items, run)
    similarities = similar_by_blocks(backbone, lists, items, plan.blocks, run, norms, changed)
    kept = run.previous.similarities.join(run.previous.changed_items, "item_id", "left_anti")
    return similarities.unionByName(kept.select(similarities.columns))


def read_interactions(
    backbone: CooccurrenceBackbone,
    interactions: DataFrame,
    run: BackboneRun,
    partitions: int | None = None,
) -> tuple[ItemIds, DataFrame]:
    """The items, and the rows of the click matrix as packed lists.

    Args:
        backbone: its cap of items a user, and whether it needs the order of the clicks.
        interactions: of `Backbone.compute`.
        run: seed, and where to keep intermediate results.
        partitions: of users; None to choose. The result is the same for any number.
    """
    spark = interactions.sparkSession
    with full_batches(spark):
        encoded = run.staged(encode_rows(interactions, backbone.needs_order), "reading")
    items = collect_item_ids(run.staged(build_item_ids(encoded, run.seed), "item ids"), run.seed)
    wait_for_warmup(backbone.name)
    lists = build_user_lists(
        encoded,
        items,
        backbone.max_items_per_user,
        partitions or count_partitions(items, cores(spark)),
    )
    return items, run.staged(lists, "users' lists")


def similar_by_blocks(
    backbone: CooccurrenceBackbone,
    lists: DataFrame,
    items: ItemIds,
    blocks: int,
    run: BackboneRun,
    norms: ItemNorms | None = None,
    wanted: BoolArray | None = None,
) -> DataFrame:
    """The similarities by engine `block`, with ids.

    Args:
        backbone: the kernel and its parameters.
        lists: packed lists of all users.
        items: the ids.
        blocks: how many; the rows are the same for any number.
        run: which items share a block.
        norms: for backbones that need them.
        wanted: (items,) whose rows to compute; None for all.
    """
    block_of_item = _assign_blocks(backbone, lists, items, blocks, run)
    if wanted is not None:
        block_of_item[~wanted] = NO_BLOCK
    task = BlockTask(
        block_of_item,
        blocks,
        items.hashes,
        sampling_thresholds(items.clicks, backbone.max_users_per_item),
        backbone,
        norms or ItemNorms(),
    )
    return restore_item_ids(similar_by_block(lists, task), items.table, len(items.clicks))


def _assign_blocks(
    backbone: CooccurrenceBackbone,
    lists: DataFrame,
    items: ItemIds,
    blocks: int,
    run: BackboneRun,
) -> UInt16Array:
    if run.options.partitioning == "balanced":
        return assign_balanced(items.clicks, blocks, backbone.max_users_per_item)
    block_of_item, saved = assign_by_community(
        lists, items.clicks, blocks, backbone.max_users_per_item
    )
    log_message(
        f"  {run.title}: items clicked together share a block, which saves {saved:.0%} of the"
        " shuffle"
    )
    return block_of_item


def _changed_rows(
    backbone: CooccurrenceBackbone, previous: PreviousResult, items: ItemIds, run: BackboneRun
) -> BoolArray:
    """(items,) whether the row can have changed since the previous result.

    A similarity of items i and j sums over users who have both. Where no user of i has changed,
    every term of row i is as it was. The order of two ids never changes, so kept rows stay sorted.
    """
    changed = previous.changed_items.join(items.table, "item_id").select("item_idx").toArrow()
    wanted = np.zeros(len(items.clicks), np.bool_)
    wanted[changed["item_idx"].to_numpy()] = True
    saved = 1.0 - share_of_work(items.clicks, wanted, backbone.max_users_per_item)
    run.attributes["saved_work"] = saved
    log_message(
        f"  {run.title}: {int(wanted.sum()):,} of {len(wanted):,} items have users with new rows;"
        f" {saved:.0%} of the work is saved"
    )
    return wanted
