"""BM25 of implicit's `BM25Recommender`, straight from the definition."""

from __future__ import annotations

from math import log as ln

from llm_i2i_spark.backbones import Bm25
from tests.backbones.oracles.dot import scaled_products
from tests.backbones.plain_log import Log, Similarities


def similarities(log: Log, bm25: Bm25) -> Similarities:
    totals: dict[str, float] = {}
    for (_, item), weight in log.weights.items():
        totals[item] = totals.get(item, 0.0) + weight
    mean = sum(totals.values()) / len(totals)

    def x(user: str, item: str) -> float:
        e = log.rows[user][item].weight
        length_norm = 1 - bm25.b + bm25.b * totals[item] / mean
        rarity = ln(len(totals)) - ln(1 + len(log.rows[user]))
        return e * (bm25.k1 + 1) / (bm25.k1 * length_norm + e) * rarity

    return scaled_products(log, x)
