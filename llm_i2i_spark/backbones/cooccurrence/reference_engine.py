"""Engine `reference`: Swing as graph algebra. GraphFrames projects the click graph onto its users;
Spark SQL does the rest.

Every step is a join or an aggregation one can read and query, at the price of a row for each pair
of users of each item. It is the reference of engine `block`: the same terms, added in the same
order, so the two agree in every bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from graphframes.pg import EdgePropertyGroup, PropertyGraphFrame, VertexPropertyGroup
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from llm_i2i_spark.kernels.arrays import Int32Array
from llm_i2i_spark.kernels.edge_format import CAPPED, ITEM_SHIFT, ROUNDING, SYNTHETIC

if TYPE_CHECKING:
    from llm_i2i_spark.backbones.swing import Swing

UNPACKED = (
    "key int, user_weight double, edges array<int>, weights array<double>, hashes array<bigint>"
)
"""A row is a user: `edges`, `weights` and sampling `hashes` are theirs, item by item."""


def click_graph(lists: DataFrame, item_hashes: Int32Array, swing: Swing) -> PropertyGraphFrame:
    """The click matrix as a bipartite property graph: vertex groups `users` and `items`, weighted
    edge group `clicks`.

    Args:
        lists: packed lists, from `build_user_lists`.
        item_hashes: (items,) 32-bit hash of item id and seed, for hash sampling.
        swing: a1 and b of the user weights, and the cap of users an item.

    Returns:
        Users have `user, user_weight`, items `item`, clicks `user, item, weight, marks`; users are
        numbered in the order in which the kernel of engine `block` adds their terms.
    """
    unpacked = lists.mapInArrow(
        partial(_unpack_rows, item_hashes=item_hashes, a1=swing.a1, b=swing.b), UNPACKED
    )
    number = F.row_number().over(Window.orderBy("key", "edges", "weights"))
    numbered = unpacked.select(
        number.alias("user"),
        "user_weight",
        F.arrays_zip("edges", "weights", "hashes").alias("clicks"),
    )
    clicks = numbered.select("user", F.inline("clicks")).select(
        "user",
        F.shiftright("edges", ITEM_SHIFT).alias("item"),
        F.col("weights").alias("weight"),
        F.col("edges").bitwiseAND(F.lit(SYNTHETIC)).alias("marks"),
        "hashes",
    )
    if swing.max_users_per_item is not None:
        rank = F.row_number().over(Window.partitionBy("item").orderBy("hashes", "user"))
        clicks = clicks.withColumn(
            "marks", F.col("marks") + F.when(rank > swing.max_users_per_item, CAPPED).otherwise(0)
        )
    clicks = clicks.drop("hashes")
    users = VertexPropertyGroup("users", numbered.select("user", "user_weight"), "user")
    items = VertexPropertyGroup("items", clicks.select("item").distinct(), "item")
    edges = EdgePropertyGroup(
        "clicks",
        clicks,
        users,
        items,
        is_directed=False,
        src_column_name="user",
        dst_column_name="item",
        weight_column_name="weight",
    )
    return PropertyGraphFrame([users, items], [edges])


def similar_by_joins(graph: PropertyGraphFrame, a2: float, top_k: int) -> DataFrame:
    """Swing of all items of a click graph.

    Args:
        graph: from `click_graph`.
        a2: added to the number of common items.
        top_k: neighbours kept an item, by similarity, then by item index.

    Returns:
        `item int, neighbor int, similarity double, support int, synthetic_share double`.
    """
    shared = _shared_items(graph, _user_pairs(graph))
    ordered = F.sort_array(F.collect_list(F.struct("u", "v", "term", "real_term")))
    sums = _swing_terms(shared, a2).groupBy("item", "neighbor").agg(ordered.alias("terms"))
    total = F.aggregate("terms", F.lit(0.0), lambda so_far, t: so_far + t["term"])
    real_total = F.aggregate("terms", F.lit(0.0), lambda so_far, t: so_far + t["real_term"])
    # n users who share a pair of items are n (n - 1) / 2 terms.
    support = F.round((1 + F.sqrt(1 + 8 * F.size("terms"))) / 2).cast("int")
    similar = sums.select(
        "item",
        "neighbor",
        total.alias("total"),
        real_total.alias("real_total"),
        support.alias("support"),
    )
    return _best(similar, top_k)


def _user_pairs(graph: PropertyGraphFrame) -> DataFrame:
    """The projection onto users, `src < dst, common`: the number of common items, two or more."""
    projected = graph.projection_by("users", "items", "clicks", lambda left, right: F.lit(1))
    pairs: DataFrame = projected.edges_property_groups[-1].data
    return pairs.groupBy("src", "dst").agg(F.sum("weight").alias("common")).where("common >= 2")


def _shared_items(graph: PropertyGraphFrame, pairs: DataFrame) -> DataFrame:
    """A row for each item of each user pair: `u, v, common, item, left, right, marks`.

    left and right are the edges' weights, marks the union of their bits.
    """
    clicks = graph.edges_property_groups[0].data
    weights = graph.vertex_property_groups[0].data
    of_u = clicks.join(weights, "user").select(F.col("user").alias("u"), "item", *_renamed("u"))
    of_v = clicks.join(weights, "user").select(F.col("user").alias("v"), "item", *_renamed("v"))
    return (
        pairs.withColumnsRenamed({"src": "u", "dst": "v"}).join(of_u, "u").join(of_v, ["v", "item"])
    )


def _renamed(user: str) -> list[Column]:
    return [F.col(name).alias(f"{name}_{user}") for name in ("user_weight", "weight", "marks")]


def _swing_terms(shared: DataFrame, a2: float) -> DataFrame:
    """A row for each ordered pair of items that a user pair shares: `item, neighbor, u, v, term,
    real_term`.
    """
    marks = F.col("marks_u").bitwiseOR(F.col("marks_v")).alias("marks")
    edge = F.struct("item", "weight_u", "weight_v", marks)
    lists = shared.groupBy("u", "v", "common", "user_weight_u", "user_weight_v").agg(
        F.collect_list(edge).alias("edges")
    )
    own = lists.withColumn("own", F.explode("edges")).where(
        F.col("own.marks").bitwiseAND(F.lit(CAPPED)) == 0
    )
    both = own.withColumn("other", F.explode("edges")).where("own.item <> other.item")
    strengths = [
        F.col(f"user_weight_{x}") * F.col(f"own.weight_{x}") * F.col(f"other.weight_{x}")
        for x in ("u", "v")
    ]
    term = strengths[0] * strengths[1] * (F.lit(1.0) / (F.lit(a2) + F.col("common")))
    synthetic = F.col("own.marks").bitwiseOR(F.col("other.marks")).bitwiseAND(F.lit(SYNTHETIC)) != 0
    terms = both.select(
        F.col("own.item").alias("item"),
        F.col("other.item").alias("neighbor"),
        "u",
        "v",
        term.alias("term"),
        synthetic.alias("synthetic"),
    )
    return terms.withColumn("real_term", F.when(F.col("synthetic"), 0.0).otherwise(F.col("term")))


def _best(similar: DataFrame, top_k: int) -> DataFrame:
    """The head of each item's list, similarities rounded to 42 bits as the kernel does (Dekker's
    splitting).
    """
    share = F.greatest(
        F.lit(0.0), F.least(F.lit(1.0), 1.0 - _rounded("real_total") / F.col("similarity"))
    )
    rows = (
        similar.withColumn("similarity", _rounded("total"))
        .where("similarity > 0")
        .withColumn("synthetic_share", share)
    )
    rows = rows.select("item", "neighbor", "similarity", "support", "synthetic_share")
    best_first = Window.partitionBy("item").orderBy(F.desc("similarity"), "neighbor")
    return (
        rows.withColumn("rank", F.row_number().over(best_first))
        .where(F.col("rank") <= top_k)
        .drop("rank")
    )


def _rounded(name: str) -> Column:
    scaled = F.col(name) * ROUNDING
    return scaled - (scaled - F.col(name))


def _unpack_rows(
    batches: Iterator[pa.RecordBatch], item_hashes: Int32Array, a1: float, b: float
) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: packed lists to a row a user, with the kernel's own user
    weights and sampling hashes.
    """
    from llm_i2i_spark.backbones.cooccurrence.packed_lists import unpack
    from llm_i2i_spark.kernels.csr import entry_weights
    from llm_i2i_spark.kernels.hash_sampling import entry_hashes
    from llm_i2i_spark.kernels.swing import user_weights

    for batch in batches:
        csr = unpack([batch])
        if csr is None:
            continue
        weights = entry_weights(csr)
        # Signed numbers keep the order of the unsigned ones once the highest bit is flipped.
        hashes = entry_hashes(csr, item_hashes) ^ np.uint64(2**63)
        offsets = pa.array(csr.indptr.astype(np.int32))
        each = weights if len(weights) else np.ones(len(csr.indices))
        columns = {
            "key": pa.array(csr.keys),
            "user_weight": pa.array(user_weights(csr, weights, a1, b)),
            "edges": pa.ListArray.from_arrays(offsets, pa.array(csr.indices.view(np.int32))),
            "weights": pa.ListArray.from_arrays(offsets, pa.array(each)),
            "hashes": pa.ListArray.from_arrays(offsets, pa.array(hashes.view(np.int64))),
        }
        yield pa.RecordBatch.from_pydict(columns)
