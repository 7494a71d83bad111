"""From one neighbour in the index back to the clicks, the candidates, the prompts and the
checkpoints behind it.

Every table is read at the version that the run records name, so what is shown is what was used,
whatever was written since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from llm_i2i_spark.audit.contributions import Edge, swing_contributions
from llm_i2i_spark.audit.edge import EdgeKey, EdgeTrace, Interaction, Similarity, UserEvidence
from llm_i2i_spark.audit.lineage import Lineage, Origin, collect, recorded
from llm_i2i_spark.audit.runs import utc
from llm_i2i_spark.audit.served import find_served, find_similarity, find_titles
from llm_i2i_spark.audit.synthetic import Pair, SyntheticOrigin, trace_synthetic
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.i2i import SwingConfig
from llm_i2i_spark.lake.tables import Lake

ADDS_UP = 1e-9
"""Relative difference up to which the parts are said to add up: the stored similarity is rounded to
42 bits (2e-13).
"""


def trace_edge(
    lake: Lake,
    config: Config,
    item: str,
    neighbor: str,
    variant: str = "llm_i2i",
    backbone: str = "swing",
    limit: int = 20,
) -> EdgeTrace:
    """Follow a neighbour of the latest index back to its evidence.

    Args:
        lake: the tables.
        config: the settings of the run: Swing's a1, a2, b, and the length and folds of histories.
        item: whose list it is.
        neighbor: the item in that list.
        variant: what the index was made from.
        backbone: what it was made with.
        limit: how many users to show, heaviest contribution first; the others are counted.

    Raises:
        UserError: item, neighbour or variant is not in the index, a version cannot be read any
            more, or a commit on the way carries no run record.
        StageError: the index names an edge that the similarities it was made from do not hold.
    """
    if backbone != "swing":
        raise UserError(
            f"audit trace takes a similarity of Swing apart, and {backbone} is another backbone."
        )
    edge = EdgeKey(variant, backbone, item, neighbor)
    lineage = Lineage(lake)
    index = lineage.latest("item_index", {"variant": variant, "backbone": backbone})
    versions = lineage.upstream(index)
    catalogue = _catalogue(lake, versions)
    served = find_served(lake, index, catalogue, edge)
    similarity = lineage.input_of(recorded(index), "item_similarity")
    fused = lineage.input_of(similarity, "fused")
    rows = _lists_of_both(lake, fused, edge)
    parts = swing_contributions(
        [Edge(row["user_id"], row["item_id"], row["weight"]) for row in rows],
        item,
        neighbor,
        config.i2i.swing,
    )
    users = sorted(parts, key=lambda user: (-parts[user], user))[: max(limit, 0)]
    ends = _rows_at_ends(rows, edge, users)
    synthetic = [pair for pair, row in ends.items() if row["source"] == "synthetic"]
    origins = trace_synthetic(lake, lineage, fused, config, synthetic)
    evidence = _evidence(edge, users, ends, origins, parts)
    shown = [
        entry.item_id
        for origin in origins.values()
        if origin.proposal
        for entry in origin.proposal.prompt.history
    ]
    return EdgeTrace(
        edge=edge,
        titles=find_titles(lake, catalogue, sorted({item, neighbor, *shown})),
        served=served,
        similarity=_check(
            similarity,
            find_similarity(lake, similarity, edge),
            sum(sorted(parts.values())),
            rows,
            config,
        ),
        users=evidence,
        n_users=len(parts),
        rest_share=(
            max(1.0 - sum(user.share for user in evidence), 0.0)
            if len(evidence) < len(parts)
            else 0.0
        ),
        versions=versions,
    )


def _catalogue(lake: Lake, versions: Sequence[Origin]) -> int | None:
    """The version of `items` on the way; the latest where the way does not pass it, as for the
    variant `real`.
    """
    on_the_way = [origin.version for origin in versions if origin.table == "items"]
    return max(on_the_way) if on_the_way else lake.version("items")


def _lists_of_both(lake: Lake, fused: Origin, edge: EdgeKey) -> list[Row]:
    """All rows of the users who have both items, each (user, item) once: the real row before a
    synthetic one, then the heavier.
    """
    rows = lake.read("fused", fused.version).where(F.col("variant") == edge.variant)
    ends = rows.where(F.col("item_id").isin(edge.item_id, edge.neighbor_id))
    both = (
        ends.groupBy("user_id")
        .agg(F.count_distinct("item_id").alias("ends"))
        .where("ends = 2")
        .select("user_id")
    )
    return collect(
        lake, _distinct(rows.join(both, "user_id", "left_semi")), {"fused": fused.version}
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


def _rows_at_ends(rows: Sequence[Row], edge: EdgeKey, users: Sequence[str]) -> dict[Pair, Row]:
    chosen, ends = set(users), (edge.item_id, edge.neighbor_id)
    return {
        (row["user_id"], row["item_id"]): row
        for row in rows
        if row["user_id"] in chosen and row["item_id"] in ends
    }


def _evidence(
    edge: EdgeKey,
    users: Sequence[str],
    ends: Mapping[Pair, Row],
    origins: Mapping[Pair, SyntheticOrigin],
    parts: Mapping[str, float],
) -> tuple[UserEvidence, ...]:
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


def _interaction(row: Row, origins: Mapping[Pair, SyntheticOrigin]) -> Interaction:
    return Interaction(
        item_id=row["item_id"],
        source=row["source"],
        weight=row["weight"],
        confidence=row["confidence"],
        ts=utc(row["ts"]) if row["ts"] is not None else None,
        position=row["position"],
        origin=origins.get((row["user_id"], row["item_id"])),
    )


def _check(
    origin: Origin, stored: Row, recomputed: float, rows: Sequence[Row], config: Config
) -> Similarity:
    """The stored similarity beside the recomputed one, with sentences on what may set them apart."""
    difference = abs(recomputed - stored["similarity"]) / stored["similarity"]
    doubts = []
    if difference > ADDS_UP:
        if origin.record is not None and origin.record.config_digest != config.digest():
            doubts.append(
                f"The settings given are not in every point those of run {origin.record.run_id},"
                " which made the similarities."
            )
        if stored["backbone"] != "swing":
            doubts.append(
                "The parts are Swing's, and the similarity is that of backbone"
                f" {stored['backbone']}."
            )
        doubts += _caps(config.i2i.swing, rows)
    return Similarity(
        stored=stored["similarity"],
        support=stored["support"],
        synthetic_share=stored["synthetic_share"],
        recomputed=recomputed,
        relative_difference=difference,
        adds_up=difference <= ADDS_UP,
        doubts=tuple(doubts),
    )


def _caps(swing: SwingConfig, rows: Sequence[Row]) -> list[str]:
    longest = max(Counter(row["user_id"] for row in rows).values(), default=0)
    doubts = []
    if swing.max_items_per_user is not None and longest > swing.max_items_per_user:
        doubts.append(
            f"A list longer than i2i.swing.max_items_per_user={swing.max_items_per_user} was cut,"
            " and is counted in full here."
        )
    if swing.max_users_per_item is not None:
        doubts.append(
            f"i2i.swing.max_users_per_item={swing.max_users_per_item} may have left out users that"
            " are counted here."
        )
    return doubts
