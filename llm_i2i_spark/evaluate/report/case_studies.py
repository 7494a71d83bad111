"""A few long-tail items with their nearest neighbours in some systems, to be judged by eye."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from llm_i2i_spark.backbones import Blend
from llm_i2i_spark.evaluate.systems import BASELINE, System, system_names
from llm_i2i_spark.lake.capabilities import SPARK_ERRORS

CASE_STUDIES = 6
NEIGHBORS_SHOWN = 5
Components = Mapping[tuple[str, str], tuple[tuple[str, float], ...]]
"""Components with their shares by item and neighbour."""


@dataclass(frozen=True)
class Neighbor:
    """A neighbour as the report shows it.

    Attributes:
        item_id: its id.
        title: its title; None without one.
        score: in the list.
        synthetic_share: share of synthetic evidence behind it; None where it is not known.
        components: of a blend, what makes it up: component and share, the largest first.
    """

    item_id: str
    title: str | None
    score: float
    synthetic_share: float | None
    components: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class CaseStudy:
    """An item with its first neighbours in some systems.

    Attributes:
        item_id: its id.
        title: its title.
        interactions: with the item, in the training fold.
        lists: its first neighbours in each system.
    """

    item_id: str
    title: str
    interactions: int
    lists: list[list[Neighbor]]


def compared_systems(systems: Sequence[tuple[str, str]]) -> tuple[System, System] | None:
    """The pair that a report compares: `real` and `llm_i2i`, or else the first other variant, on
    the same backbone; None where there is no such pair.
    """
    others = [system for system in system_names(systems) if system.variant != BASELINE]
    for system in sorted(others, key=lambda other: other.variant != "llm_i2i"):
        if (BASELINE, system.backbone) in systems:
            return System(BASELINE, system.backbone), system
    return None


def systems_shown(systems: Sequence[tuple[str, str]]) -> tuple[System, ...]:
    """The systems whose lists stand next to each other: where there is a blend, `real` on the first
    other backbone, then the blend of `real` and that of `llm_i2i` (or the first other variant);
    else those of `compared_systems`.
    """
    ordered = list(system_names(systems))
    blends = [system for system in ordered if system.backbone == Blend.name]
    others = [system for system in ordered if system.backbone != Blend.name]
    if not blends or not others:
        return compared_systems(systems) or ()
    plain = [system for system in others if system.variant == BASELINE]
    real = [system for system in blends if system.variant == BASELINE]
    changed = [system for system in blends if system.variant != BASELINE]
    return *plain[:1], *real, *changed[:1]


def select_case_studies(
    index: DataFrame,
    items: DataFrame,
    item_stats: DataFrame,
    systems: Sequence[System],
    seed: int,
    similarities: Mapping[System, DataFrame] | None = None,
) -> list[CaseStudy]:
    """Long-tail items drawn by a hash of their id, not by hand, among those with neighbours in the
    last system; where such items are among them, one that nobody clicked.

    Args:
        index: as `item_index`.
        items: for the titles.
        item_stats: for `is_long_tail` and the count in training.
        systems: those to show, from `systems_shown`.
        seed: of the draw.
        similarities: of blends, rows of `item_similarity`, for what their neighbours are made of.

    Returns:
        At most `CASE_STUDIES` items; none where there is nothing to compare.
    """
    if len(systems) < 2:
        return []
    drawn = _draw(_lists(index, systems[-1]), items, item_stats, seed)
    chosen = F.col("item_id").isin([row["item_id"] for row in drawn])
    lists = []
    for system in systems:
        rows = _lists(index, system).where(chosen).collect()
        parts = _components(rows, (similarities or {}).get(system))
        lists.append({row["item_id"]: (row["first"], parts) for row in rows})
    titles = _titles(items, [first for each in lists for first, _ in each.values()])
    return [
        CaseStudy(
            item_id=row["item_id"],
            title=row["title"],
            interactions=row["n_interactions"],
            lists=[
                _neighbors(row["item_id"], *each.get(row["item_id"], ((), {})), titles)
                for each in lists
            ],
        )
        for row in drawn
    ]


def _draw(lists: DataFrame, items: DataFrame, item_stats: DataFrame, seed: int) -> list[Row]:
    """`item_id, title, n_interactions` of the items to show, an item without clicks last."""
    tail = item_stats.where("is_long_tail").select("item_id", "n_interactions")
    titled = items.where("title IS NOT NULL").select("item_id", "title")
    found = lists.select("item_id").join(tail, "item_id").join(titled, "item_id")
    in_order = found.orderBy(F.xxhash64(F.lit(seed), "item_id"), "item_id")
    drawn = in_order.limit(CASE_STUDIES).collect()
    clicked = [row for row in drawn if row["n_interactions"]]
    if len(clicked) < len(drawn):
        return clicked + [row for row in drawn if not row["n_interactions"]]
    cold = in_order.where("n_interactions = 0").limit(1).collect()
    return [*clicked[: CASE_STUDIES - len(cold)], *cold]


def _lists(index: DataFrame, system: System) -> DataFrame:
    chosen = index.where(
        (F.col("variant") == system.variant) & (F.col("backbone") == system.backbone)
    )
    return chosen.select("item_id", F.slice("neighbors", 1, NEIGHBORS_SHOWN).alias("first")).where(
        F.size("first") > 0
    )


def _components(rows: Sequence[Row], similarities: DataFrame | None) -> Components:
    """What the neighbours of some lists are made of, by item and neighbour."""
    if similarities is None or not rows:
        return {}
    wanted = {(row["item_id"], one["item_id"]) for row in rows for one in row["first"]}
    asked = F.col("item_id").isin(sorted({item for item, _ in wanted})) & F.col("neighbor_id").isin(
        sorted({neighbor for _, neighbor in wanted})
    )
    try:
        found = similarities.where(asked).select("item_id", "neighbor_id", "components").collect()
    except SPARK_ERRORS:  # VACUUM has removed the version: a report without reasons is one, too
        return {}
    return {
        (row["item_id"], row["neighbor_id"]): tuple(
            (part["component"], part["share"]) for part in row["components"] or ()
        )
        for row in found
    }


def _titles(items: DataFrame, lists: Iterable[Sequence[Row]]) -> dict[str, str | None]:
    wanted = {neighbor["item_id"] for first in lists for neighbor in first}
    if not wanted:
        return {}
    found = items.where(F.col("item_id").isin(sorted(wanted))).select("item_id", "title")
    return {row["item_id"]: row["title"] for row in found.collect()}


def _neighbors(
    item: str, rows: Sequence[Row], parts: Components, titles: Mapping[str, str | None]
) -> list[Neighbor]:
    return [
        Neighbor(
            row["item_id"],
            titles.get(row["item_id"]),
            row["score"],
            row["synthetic_share"],
            parts.get((item, row["item_id"]), ()),
        )
        for row in rows
    ]
