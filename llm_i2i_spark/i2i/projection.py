"""Engine `projection`: Swing as graph algebra. GraphFrames projects the click graph onto its users; Spark SQL does the rest.

Every step is a join or an aggregation one can read and query, at the price of a row for each pair of users of each item.
It is the reference of engine `block`: the same terms, added in the same order, so the two agree in every bit.
"""

from __future__ import annotations

from graphframes.pg import EdgePropertyGroup, PropertyGraphFrame, VertexPropertyGroup
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from llm_i2i_spark.i2i.agreement import CAPPED, ROUNDING, SYNTHETIC


def click_graph(lists: DataFrame) -> PropertyGraphFrame:
    """The lists as a bipartite property graph: vertex groups `users` and `items`, weighted edge group `clicks`.

    Args:
        lists: `user_id, user_weight, edges`, from `user_lists`.

    Returns:
        Users have `user_id, user_weight`, items `item`, clicks `user_id, item, weight, marks`.
    """
    clicks = lists.select("user_id", F.inline("edges"))
    users = VertexPropertyGroup("users", lists.select("user_id", "user_weight"), "user_id")
    items = VertexPropertyGroup("items", clicks.select("item").distinct(), "item")
    edges = EdgePropertyGroup(
        "clicks", clicks, users, items, is_directed=False, src_column_name="user_id", dst_column_name="item", weight_column_name="weight"
    )
    return PropertyGraphFrame([users, items], [edges])


def similar_by_projection(graph: PropertyGraphFrame, a2: float, top_k: int) -> DataFrame:
    """Swing of all items of a click graph.

    Args:
        graph: from `click_graph`.
        a2: added to the number of common items.
        top_k: neighbours kept an item, by similarity, then by item number.

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
    similar = sums.select("item", "neighbor", total.alias("total"), real_total.alias("real_total"), support.alias("support"))
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
    of_u = clicks.join(weights, "user_id").select(F.col("user_id").alias("u"), "item", *_renamed("u"))
    of_v = clicks.join(weights, "user_id").select(F.col("user_id").alias("v"), "item", *_renamed("v"))
    return pairs.withColumnsRenamed({"src": "u", "dst": "v"}).join(of_u, "u").join(of_v, ["v", "item"])


def _renamed(user: str) -> list[Column]:
    return [F.col(name).alias(f"{name}_{user}") for name in ("user_weight", "weight", "marks")]


def _swing_terms(shared: DataFrame, a2: float) -> DataFrame:
    """A row for each ordered pair of items that a user pair shares: `item, neighbor, u, v, term, real_term`."""
    marks = F.col("marks_u").bitwiseOR(F.col("marks_v")).alias("marks")
    edge = F.struct("item", "weight_u", "weight_v", marks)
    lists = shared.groupBy("u", "v", "common", "user_weight_u", "user_weight_v").agg(F.collect_list(edge).alias("edges"))
    own = lists.withColumn("own", F.explode("edges")).where(F.col("own.marks").bitwiseAND(F.lit(CAPPED)) == 0)
    both = own.withColumn("other", F.explode("edges")).where("own.item <> other.item")
    strengths = [F.col(f"user_weight_{x}") * F.col(f"own.weight_{x}") * F.col(f"other.weight_{x}") for x in ("u", "v")]
    term = strengths[0] * strengths[1] * (F.lit(1.0) / (F.lit(a2) + F.col("common")))
    synthetic = F.col("own.marks").bitwiseOR(F.col("other.marks")).bitwiseAND(F.lit(SYNTHETIC)) != 0
    terms = both.select(
        F.col("own.item").alias("item"), F.col("other.item").alias("neighbor"), "u", "v", term.alias("term"), synthetic.alias("synthetic")
    )
    return terms.withColumn("real_term", F.when(F.col("synthetic"), 0.0).otherwise(F.col("term")))


def _best(similar: DataFrame, top_k: int) -> DataFrame:
    """The head of each item's list, similarities rounded to 42 bits as the kernel does (Dekker's splitting)."""
    scaled = F.col("total") * ROUNDING
    share = F.greatest(F.lit(0.0), F.least(F.lit(1.0), 1.0 - F.col("real_total") / F.col("total")))
    rows = similar.where("total > 0").select(
        "item", "neighbor", (scaled - (scaled - F.col("total"))).alias("similarity"), "support", share.alias("synthetic_share")
    )
    best_first = Window.partitionBy("item").orderBy(F.desc("similarity"), "neighbor")
    return rows.withColumn("place", F.row_number().over(best_first)).where(F.col("place") <= top_k).drop("place")
