"""The users that a blend is trained on, and the lists that a lookup merges for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from llm_i2i_spark.backbones.blend_engine.arrow_lists import ranges
from llm_i2i_spark.backbones.blend_engine.catalogue import Catalogue
from llm_i2i_spark.backbones.cooccurrence.item_ids import to_join
from llm_i2i_spark.kernels.arrays import Float64Array, Int32Array, Int64Array

if TYPE_CHECKING:
    from llm_i2i_spark.backbones.blend import Blend

OWNED = 1000
"""Latest items of a user that are never candidates."""


@dataclass(frozen=True)
class Requests:
    """Lists that a lookup merges for some users, one row a user and recent item, in order of the
    items.

    Attributes:
        user: (n,) number of the user.
        step: (n,) 0 for the latest item.
        item: (n,) item index, ascending.
        weight: (n,) of the list in the lookup: decay ** step.
        target: (n,) item index of the user's held-out interaction.
    """

    user: Int32Array
    step: Int32Array
    item: Int32Array
    weight: Float64Array
    target: Int32Array

    def of_block(self, items: Int32Array) -> tuple[Int64Array, Int64Array]:
        """Which requests are for items of a block, and the position of each one's item in it.

        Args:
            items: (n,) item indices, ascending.
        """
        first = np.searchsorted(self.item, items)
        last = np.searchsorted(self.item, items, side="right")
        counts = last - first
        rows = np.repeat(np.arange(len(items)), counts)
        return ranges(first, counts), rows


@dataclass(frozen=True)
class Sample:
    """Users with a held-out interaction.

    Attributes:
        target: (users,) item index of the held-out one.
        key: (users,) 32-bit hash of the user's id.
        owned_indptr: (users + 1,) offsets into `owned`.
        owned: item indices of the interactions before, latest first.
        requests: the recent items of all users.
    """

    target: Int32Array
    key: Int32Array
    owned_indptr: Int64Array
    owned: Int32Array
    requests: Requests


def sample_users(
    blend: Blend,
    held_back: DataFrame,
    held_out: DataFrame,
    catalogue: Catalogue,
    seed: int,
    item_stats: DataFrame | None = None,
) -> DataFrame:
    """Users whose last interaction was held out, those with the lowest hashes.

    Args:
        blend: how many, and how the lookup weighs their items.
        held_back: interactions that the components are made from.
        held_out: `user_id, item_id`, one row a user.
        catalogue: of all items.
        seed: of the hashes.
        item_stats: `item_id, is_long_tail`; None where no item is known to be of the long tail.

    Returns:
        `user int` from 0, `user_id, item_id, target int, key int, recent_items array<string>, owned
        array<int>, loss_weight double`, of users with an interaction before.
    """
    known = to_join(catalogue.ids, catalogue.size)
    key = F.hash("user_id", F.lit(seed))
    target = known.withColumnsRenamed({"item_idx": "target"})
    labelled = held_out.join(target, "item_id").withColumn("key", key)
    chosen = labelled.orderBy(F.xxhash64("user_id", F.lit(seed)), "user_id").limit(blend.max_users)
    latest = Window.partitionBy("user_id").orderBy(F.desc("position"), "item_id")
    before = (
        held_back.where((F.col("source") == "real") & F.col("position").isNotNull())
        .join(F.broadcast(chosen.select("user_id")), "user_id", "left_semi")
        .withColumn("step", F.row_number().over(latest) - 1)
        .where(F.col("step") < OWNED)
        .join(known, "item_id")
        .groupBy("user_id")
        .agg(F.sort_array(F.collect_list(F.struct("step", "item_id", "item_idx"))).alias("before"))
    )
    chosen = _with_loss_weights(chosen, item_stats, blend.long_tail_weight)
    return chosen.join(before, "user_id").select(
        (F.row_number().over(Window.orderBy("user_id")) - 1).alias("user"),
        "user_id",
        "item_id",
        "target",
        "key",
        F.slice("before.item_id", 1, blend.history).alias("recent_items"),
        F.col("before.item_idx").alias("owned"),
        "loss_weight",
    )


def _with_loss_weights(
    held_out: DataFrame, item_stats: DataFrame | None, long_tail_weight: float
) -> DataFrame:
    if item_stats is None:
        return held_out.withColumn("loss_weight", F.lit(1.0))
    tail = item_stats.where("is_long_tail").select("item_id", F.lit(True).alias("_tail"))
    weight = F.when(F.col("_tail"), F.lit(long_tail_weight)).otherwise(F.lit(1.0))
    return held_out.join(tail, "item_id", "left").withColumn("loss_weight", weight).drop("_tail")


def collect_sample(users: DataFrame, blend: Blend) -> Sample:
    """Read what the tasks are given.

    Args:
        users: from `sample_users`, already computed.
        blend: how the lookup weighs their items.
    """
    read = users.select("user", "target", "key", "owned").orderBy("user").toArrow().combine_chunks()
    target, key = read["target"].to_numpy(), read["key"].to_numpy()
    owned = read["owned"].combine_chunks() if read.num_rows else pa.array([], pa.list_(pa.int32()))
    indptr = np.asarray(owned.offsets, np.int64) if read.num_rows else np.zeros(1, np.int64)
    items = owned.flatten().to_numpy().astype(np.int32)
    counts = np.minimum(np.diff(indptr), blend.history)
    user = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    step = ranges(np.zeros_like(counts), counts).astype(np.int32)
    item = items[indptr[user] + step]
    order = np.lexsort((step, user, item))
    weights = blend.decay ** np.arange(blend.history, dtype=np.float64)
    requests = Requests(
        user[order], step[order], item[order], weights[step[order]], target[user[order]]
    )
    return Sample(target, key, indptr, items, requests)
