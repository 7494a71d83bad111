"""A few long-tail items with their nearest neighbours before and after, for people to judge by eye."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from llm_i2i_spark.evaluate.accuracy import BASELINE

EXAMPLES = 6
SHOWN = 5


@dataclass(frozen=True)
class Neighbor:
    """A neighbour as the report shows it: its title (or id), score, and how much of its evidence is
    synthetic.
    """

    title: str
    score: float
    synthetic_share: float


@dataclass(frozen=True)
class Example:
    """An item with its first neighbours in two series."""

    title: str
    interactions: int
    before: list[Neighbor]
    after: list[Neighbor]


def compared_series(
    series: Sequence[tuple[str, str]],
) -> tuple[tuple[str, str], tuple[str, str]] | None:
    """The pair that the report compares: `real` and `llm_i2i`, or else the first other variant, on
    the same backbone.
    """
    for variant, backbone in sorted(series, key=lambda pair: pair[0] != "llm_i2i"):
        if variant != BASELINE and (BASELINE, backbone) in series:
            return (BASELINE, backbone), (variant, backbone)
    return None


def select_examples(
    index: DataFrame,
    items: DataFrame,
    item_stats: DataFrame,
    series: Sequence[tuple[str, str]],
    seed: int,
) -> list[Example]:
    """Long-tail items drawn by a hash of their id, not by hand, among those with neighbours in the
    later series.

    Args:
        index: as `item_index`.
        items: for the titles.
        item_stats: for `is_long_tail` and the count in training.
        series: (variant, backbone) pairs of the evaluation.
        seed: of the draw.

    Returns:
        At most `EXAMPLES` items; none where there is nothing to compare.
    """
    pair = compared_series(series)
    if pair is None:
        return []
    before, after = (_lists(index, *chosen) for chosen in pair)
    tail = item_stats.where("is_long_tail").select("item_id", "n_interactions")
    titled = items.where("title IS NOT NULL").select("item_id", "title")
    drawn = (
        after.withColumnRenamed("first", "after")
        .join(tail, "item_id")
        .join(titled, "item_id")
        .orderBy(F.xxhash64(F.lit(seed), "item_id"), "item_id")
        .limit(EXAMPLES)
        .join(before.withColumnRenamed("first", "before"), "item_id", "left")
        .orderBy(F.xxhash64(F.lit(seed), "item_id"), "item_id")
        .collect()
    )
    wanted = {
        neighbor["item_id"] for row in drawn for neighbor in [*(row["before"] or []), *row["after"]]
    }
    found = (
        items.where(F.col("item_id").isin(sorted(wanted))).select("item_id", "title").collect()
        if wanted
        else []
    )
    titles = {row["item_id"]: row["title"] for row in found}
    return [
        Example(
            row["title"],
            row["n_interactions"],
            _neighbors(row["before"], titles),
            _neighbors(row["after"], titles),
        )
        for row in drawn
    ]


def _lists(index: DataFrame, variant: str, backbone: str) -> DataFrame:
    chosen = index.where((F.col("variant") == variant) & (F.col("backbone") == backbone))
    return chosen.select("item_id", F.slice("neighbors", 1, SHOWN).alias("first")).where(
        F.size("first") > 0
    )


def _neighbors(rows: Sequence[Row] | None, titles: dict[str, str | None]) -> list[Neighbor]:
    return [
        Neighbor(titles.get(row["item_id"]) or row["item_id"], row["score"], row["synthetic_share"])
        for row in rows or []
    ]
