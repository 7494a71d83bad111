"""The users behind an edge: their rows of `fused`, and each one's part of the similarity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from llm_i2i_spark.audit.lineage import Lineage, Origin
from llm_i2i_spark.audit.runs import utc
from llm_i2i_spark.audit.trace.contributions import Edge, swing_contributions
from llm_i2i_spark.audit.trace.edge import EdgeKey, Interaction, UserEvidence
from llm_i2i_spark.audit.trace.synthetic_origin import SyntheticOrigin
from llm_i2i_spark.backbones.attribution import Attribution
from llm_i2i_spark.backbones.attribution_engine import UNITS, attributed_clicks
from llm_i2i_spark.backbones.swing import Swing

UserItem = tuple[str, str]
"""User id and item id of a row."""


def rows_of_users(lineage: Lineage, fused: Origin, edge: EdgeKey) -> list[Row]:
    """All rows of the users who have both items, each (user, item) once: the real row before a
    synthetic one, then the heavier.
    """
    rows = lineage.frame(fused, "fused")
    ends = rows.where(F.col("item_id").isin(edge.item_id, edge.neighbor_id))
    both = (
        ends.groupBy("user_id")
        .agg(F.count_distinct("item_id").alias("ends"))
        .where("ends = 2")
        .select("user_id")
    )
    return lineage.collect(_distinct(rows.join(both, "user_id", "left_semi")), fused, "fused")


def contributions(rows: Sequence[Row], edge: EdgeKey, swing: Swing) -> dict[str, float]:
    """The part of the similarity that is due to each user.

    Args:
        rows: from `rows_of_users`.
        edge: which.
        swing: the backbone's parameters.
    """
    edges = [Edge(row["user_id"], row["item_id"], row["weight"]) for row in rows]
    return swing_contributions(edges, edge.item_id, edge.neighbor_id, swing)


def attributions(
    lineage: Lineage, fused: Origin, edge: EdgeKey, attribution: Attribution
) -> tuple[dict[str, float], float]:
    """What each user adds to a similarity of attribution, w(i | u) confidence(u, j) ** exponent,
    and the sum of that over all users and all neighbours of the item.

    Args:
        lineage: of the lake.
        fused: the interactions that it was made from.
        edge: which.
        attribution: the backbone's parameters.
    """
    rows = lineage.frame(fused, "fused")
    has_item = (F.col("item_id") == edge.item_id) & (F.col("source") == "real")
    users = rows.where(has_item).select("user_id").distinct()
    of_users = rows.join(users, "user_id", "left_semi")
    of_item = attributed_clicks(attribution, of_users).where(F.col("item_id") == edge.item_id)
    total = lineage.collect(of_item.agg(F.sum("units").alias("units")), fused, "fused")
    own = of_item.where((F.col("neighbor_id") == edge.neighbor_id) & (F.col("units") > 0))
    found = lineage.collect(own.select("user_id", "units"), fused, "fused")
    parts = {row["user_id"]: row["units"] / UNITS for row in found}
    return parts, (total[0]["units"] or 0) / UNITS


def rows_of_listed(
    lineage: Lineage, fused: Origin, edge: EdgeKey, users: Sequence[str]
) -> dict[UserItem, Row]:
    """The rows in which some users have one of the two items."""
    rows = lineage.frame(fused, "fused")
    asked = F.col("item_id").isin(edge.item_id, edge.neighbor_id)
    ends = rows.where(asked & F.col("user_id").isin(list(users)))
    return rows_at_ends(lineage.collect(_distinct(ends), fused, "fused"), edge, users)


def rows_at_ends(rows: Sequence[Row], edge: EdgeKey, users: Sequence[str]) -> dict[UserItem, Row]:
    """Those of the rows in which some users have one of the two items."""
    chosen, ends = set(users), (edge.item_id, edge.neighbor_id)
    return {
        (row["user_id"], row["item_id"]): row
        for row in rows
        if row["user_id"] in chosen and row["item_id"] in ends
    }


def evidence(
    edge: EdgeKey,
    users: Sequence[str],
    ends: Mapping[UserItem, Row],
    origins: Mapping[UserItem, SyntheticOrigin],
    parts: Mapping[str, float],
) -> tuple[UserEvidence, ...]:
    """The users with their parts and both rows, in the order given.

    Args:
        edge: which.
        users: to list.
        ends: from `rows_at_ends`.
        origins: of the synthetic rows among them.
        parts: of all users.
    """
    total = sum(sorted(parts.values()))
    return tuple(
        UserEvidence(
            user_id=user,
            contribution=parts[user],
            share=parts[user] / total if total else 0.0,
            item=_interaction(ends[user, edge.item_id], origins),
            neighbor=_interaction(ends[user, edge.neighbor_id], origins),
        )
        for user in users
    )


def _distinct(rows: DataFrame) -> DataFrame:
    preferred: Column = F.struct(
        (F.col("source") == "real").alias("real"),
        "weight",
        "source",
        "confidence",
        "ts",
        "position",
    )
    best = rows.groupBy("user_id", "item_id").agg(F.max(preferred).alias("row"))
    return best.select(
        "user_id", "item_id", "row.weight", "row.source", "row.confidence", "row.ts", "row.position"
    )


def _interaction(row: Row, origins: Mapping[UserItem, SyntheticOrigin]) -> Interaction:
    return Interaction(
        item_id=row["item_id"],
        source=row["source"],
        weight=row["weight"],
        confidence=row["confidence"],
        ts=utc(row["ts"]) if row["ts"] is not None else None,
        position=row["position"],
        origin=origins.get((row["user_id"], row["item_id"])),
    )
