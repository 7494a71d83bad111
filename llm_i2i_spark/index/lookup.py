"""What to show a visitor: the neighbour lists of the latest clicks, merged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from llm_i2i_spark.base.sections.index import IndexConfig
from llm_i2i_spark.index.transform import one_index


class Suggestion(TypedDict):
    """One suggested item: its merged score, and the share of that score that synthetic interactions
    stand behind.
    """

    item_id: str
    rank: int
    score: float
    synthetic_share: float


def lookup(
    index: DataFrame,
    clicks: Sequence[str],
    k: int,
    settings: IndexConfig,
    variant: str,
    backbone: str,
) -> list[Suggestion]:
    """The best `k` items for a click list; empty where the index knows none of the clicks.

    score(j) = sum over the latest `recent_items` clicks i of decay^(clicks after i) * score(i, j),
    without what was clicked at all. An item clicked twice counts where it was clicked last. Equal
    scores go by id, shorter ids first.

    Args:
        index: rows of the `item_index` contract.
        clicks: item ids, oldest first.
        k: suggestions at most.
        settings: `recent_items` and `decay`.

    Raises:
        UserError: the index has no list of this variant and backbone.
    """
    latest = list(dict.fromkeys(reversed(clicks)))[: settings.recent_items]
    lists = one_index(index, variant, backbone)
    rows = lists.where(F.col("item_id").isin(latest)).select("item_id", "neighbors").collect()
    return merge_lists(
        {row["item_id"]: row["neighbors"] for row in rows}, latest, set(clicks), settings.decay
    )[:k]


def merge_lists(
    lists: dict[str, list[Row]], latest: Sequence[str], owned: set[str], decay: float
) -> list[Suggestion]:
    """All items of some neighbour lists, best first.

    Args:
        lists: neighbours by item, as in the `item_index` contract.
        latest: the clicked items, latest first, each once.
        owned: what is not suggested.
        decay: weight of a click relative to the next later one.
    """
    scores: dict[str, float] = {}
    synthetic: dict[str, float] = {}
    for steps_back, clicked in enumerate(latest):
        for neighbor in lists.get(clicked, []):
            item = neighbor["item_id"]
            if item not in owned:
                score = decay**steps_back * neighbor["score"]
                scores[item] = scores.get(item, 0.0) + score
                synthetic[item] = synthetic.get(item, 0.0) + score * neighbor["synthetic_share"]
    best = sorted(scores, key=lambda item: (-scores[item], len(item), item))
    return [
        Suggestion(
            item_id=item,
            rank=rank,
            score=scores[item],
            synthetic_share=synthetic[item] / scores[item],
        )
        for rank, item in enumerate(best, start=1)
    ]
