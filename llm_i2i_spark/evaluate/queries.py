"""From interactions and indexes to each user's rank: the query of a user, the lists of the systems,
and where the held-out item stands.

Inside, an item is the 64-bit hash of its id (`item_key`). A false match needs two of the few
thousand items of one user to share a hash, a chance of about 1e-13 a user, or two of the items that
the users of a part have clicked, a chance of about 1e-9 a part; no dictionary of the catalogue has
to travel. Sums that the result depends on run over integers or in a fixed order, so
partitions and row order never show.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import ceil

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.evaluate.rank_batches import RANKED_DDL, rank_part
from llm_i2i_spark.lake.grouped_map import map_each

LISTS_A_PART = 100_000
"""Of 200 neighbours they take 320 MB in a worker, if no two clicks are on the same item."""
FEW_USERS, FEW_PARTS = 1_000, 8
"""A small log has a part for so many users, up to so many parts."""

SELF_SCORE = 1e200
"""Score of an item in its own list: far above those of others, and far enough from infinity that
sums of it tell a later click from an earlier one.
"""

Systems = Sequence[tuple[str, str]]
"""(variant, backbone) pairs; a system is known by its position in the sequence."""


def item_key(item_id: Column | str) -> Column:
    """The 64-bit hash that stands for an item id."""
    return F.xxhash64(item_id)


def select_queries(
    interactions: DataFrame,
    target: str,
    query_folds: Sequence[str],
    recent_items: int,
    remove_seen: bool = True,
) -> DataFrame:
    """One row a user who has a row in the target fold: (user_id, target, history, owned, clicks).

    The target is their first row of that fold; the query is their rows of `query_folds` before it.

    Args:
        interactions: as in the contract.
        target: the fold of the targets.
        query_folds: the folds that a query may hold.
        recent_items: how many of the latest query items become `clicks`.
        remove_seen: whether the query items are never recommended.

    Returns:
        target bigint (item key), history int (query items), owned array<bigint> (keys of what is
        never recommended), clicks array<string> (latest first).
    """
    row = F.struct("position", "item_id")
    users = interactions.groupBy("user_id").agg(
        F.min(F.when(F.col("fold") == target, row)).alias("held_out"),
        F.collect_list(F.when(F.col("fold").isin(*query_folds), row)).alias("rows"),
    )
    before = F.sort_array(
        F.filter("rows", lambda row: row["position"] < F.col("held_out.position")), asc=False
    )
    never_shown = before if remove_seen else F.slice(before, 1, 0)
    return users.where("held_out IS NOT NULL").select(
        "user_id",
        item_key("held_out.item_id").alias("target"),
        F.size(before).alias("history"),
        F.transform(never_shown, lambda row: item_key(row["item_id"])).alias("owned"),
        F.transform(F.slice(before, 1, recent_items), lambda row: row["item_id"]).alias("clicks"),
    )


def select_lists(index: DataFrame, systems: Systems, add_self: bool = False) -> DataFrame:
    """The neighbour lists of some systems as flat arrays: (system, item_id, neighbors, scores).

    Args:
        index: as in the contract.
        systems: those that are wanted.
        add_self: let each item lead its own list, with a score above any other, unless its list has
            it already: an item is its own nearest neighbour, which an index leaves out.
    """
    lists = index.select(
        system_position(systems),
        "item_id",
        F.transform("neighbors", lambda neighbor: item_key(neighbor["item_id"])).alias("neighbors"),
        F.transform("neighbors", lambda neighbor: neighbor["score"]).alias("scores"),
    ).where("system IS NOT NULL")
    if not add_self:
        return lists
    own = item_key("item_id")
    lacking = ~F.array_contains("neighbors", own)
    return lists.withColumns(
        {
            "neighbors": F.when(lacking, F.concat(F.array(own), "neighbors")).otherwise(
                F.col("neighbors")
            ),
            "scores": F.when(lacking, F.concat(F.array(F.lit(SELF_SCORE)), "scores")).otherwise(
                F.col("scores")
            ),
        }
    )


def rank_users(
    queries: DataFrame, lists: DataFrame, n_systems: int, decay: float, top: int
) -> DataFrame:
    """Rank every user's target in every system: one row a system and user, with the columns of
    `RANKED_DDL`.

    Users are divided into parts, and each part fetches the lists that its users have clicked, each
    of them once: what travels is the lists of a part, and not one for each click. A user's lists
    are merged by a compiled kernel. Counts the queries right away, to know how many parts to make.

    Args:
        queries: from `select_queries`; read three times.
        lists: from `select_lists`.
        n_systems: how many systems there are.
        decay: weight of a click relative to the next later one.
        top: how many recommended items to keep a user, from 1.
    """
    parts = _count_parts(queries, n_systems)
    part = F.pmod(F.xxhash64("user_id"), F.lit(parts)).cast("int").alias("part")
    users = queries.select(
        part,
        *("user_id", "target", "history", "owned"),
        F.transform("clicks", item_key).alias("clicks"),
    )
    clicked = queries.select(part, F.explode("clicks").alias("item_id")).distinct()
    wanted = clicked.join(lists, "item_id").withColumn("item", item_key("item_id"))
    rows = users.unionByName(wanted.drop("item_id"), allowMissingColumns=True)
    rank = partial(rank_part, n_systems=n_systems, top=top, decay=decay)
    return map_each(rows, "part", parts, rank, RANKED_DDL)


def _count_parts(queries: DataFrame, n_systems: int) -> int:
    """As many parts as keep the lists of each within memory, and a few for the cores."""
    counted = queries.agg(
        F.count("*").alias("users"), F.sum(F.size("clicks")).alias("clicks")
    ).first()
    assert counted is not None
    users: int = counted["users"]
    lists: int = n_systems * (counted["clicks"] or 0)
    return max(ceil(lists / LISTS_A_PART), min(ceil(users / FEW_USERS), FEW_PARTS), 1)


def system_position(systems: Systems) -> Column:
    """Column `system`: the position of a row's (variant, backbone) in the sequence; null for
    others.
    """
    positions = (
        F.when((F.col("variant") == variant) & (F.col("backbone") == backbone), position)
        for position, (variant, backbone) in enumerate(systems)
    )
    return F.coalesce(*positions).cast("int").alias("system")


def in_every_system(frame: DataFrame, n_systems: int) -> DataFrame:
    """Each row once a system, with its position as the column `system`."""
    positions = F.array(*(F.lit(position) for position in range(n_systems)))
    return frame.withColumn("system", F.explode(positions))
