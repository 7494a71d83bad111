"""A few long-tail items with their nearest neighbours in two systems, to be judged by eye."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from llm_i2i_spark.evaluate.systems import BASELINE, System, system_names

CASE_STUDIES = 6
NEIGHBORS_SHOWN = 5


@dataclass(frozen=True)
class Neighbor:
    """A neighbour as the report shows it.

    Attributes:
        item_id: its id.
        title: its title; None without one.
        score: in the list.
        synthetic_share: share of synthetic evidence behind it; None where it is not known.
    """

    item_id: str
    title: str | None
    score: float
    synthetic_share: float | None


@dataclass(frozen=True)
class CaseStudy:
    """An item with its first neighbours in two systems.

    Attributes:
        item_id: its id.
        title: its title.
        interactions: with the item, in the training fold.
        before: its first neighbours in the baseline.
        after: its first neighbours in the system that is compared with it.
    """

    item_id: str
    title: str
    interactions: int
    before: list[Neighbor]
    after: list[Neighbor]


def compared_systems(systems: Sequence[tuple[str, str]]) -> tuple[System, System] | None:
    """The pair that a report compares: `real` and `llm_i2i`, or else the first other variant, on
    the same backbone; None where there is no such pair.
    """
    others = [system for system in system_names(systems) if system.variant != BASELINE]
    for system in sorted(others, key=lambda other: other.variant != "llm_i2i"):
        if (BASELINE, system.backbone) in systems:
            return System(BASELINE, system.backbone), system
    return None


def select_case_studies(
    index: DataFrame,
    items: DataFrame,
    item_stats: DataFrame,
    systems: Sequence[tuple[str, str]],
    seed: int,
) -> list[CaseStudy]:
    """Long-tail items drawn by a hash of their id, not by hand, among those with neighbours in the
    later system.

    Args:
        index: as `item_index`.
        items: for the titles.
        item_stats: for `is_long_tail` and the count in training.
        systems: (variant, backbone) pairs of the evaluation.
        seed: of the draw.

    Returns:
        At most `CASE_STUDIES` items; none where there is nothing to compare.
    """
    pair = compared_systems(systems)
    if pair is None:
        return []
    before, after = (_lists(index, system) for system in pair)
    tail = item_stats.where("is_long_tail").select("item_id", "n_interactions")
    titled = items.where("title IS NOT NULL").select("item_id", "title")
    in_order = [F.xxhash64(F.lit(seed), "item_id"), F.col("item_id")]
    drawn = (
        after.withColumnRenamed("first", "after")
        .join(tail, "item_id")
        .join(titled, "item_id")
        .orderBy(*in_order)
        .limit(CASE_STUDIES)
        .join(before.withColumnRenamed("first", "before"), "item_id", "left")
        .orderBy(*in_order)
        .collect()
    )
    titles = _titles(items, drawn)
    return [
        CaseStudy(
            item_id=row["item_id"],
            title=row["title"],
            interactions=row["n_interactions"],
            before=_neighbors(row["before"], titles),
            after=_neighbors(row["after"], titles),
        )
        for row in drawn
    ]


def _lists(index: DataFrame, system: System) -> DataFrame:
    chosen = index.where(
        (F.col("variant") == system.variant) & (F.col("backbone") == system.backbone)
    )
    return chosen.select("item_id", F.slice("neighbors", 1, NEIGHBORS_SHOWN).alias("first")).where(
        F.size("first") > 0
    )


def _titles(items: DataFrame, drawn: Sequence[Row]) -> dict[str, str | None]:
    wanted = {
        neighbor["item_id"] for row in drawn for neighbor in [*(row["before"] or []), *row["after"]]
    }
    if not wanted:
        return {}
    found = items.where(F.col("item_id").isin(sorted(wanted))).select("item_id", "title")
    return {row["item_id"]: row["title"] for row in found.collect()}


def _neighbors(rows: Sequence[Row] | None, titles: Mapping[str, str | None]) -> list[Neighbor]:
    return [
        Neighbor(row["item_id"], titles.get(row["item_id"]), row["score"], row["synthetic_share"])
        for row in rows or []
    ]
