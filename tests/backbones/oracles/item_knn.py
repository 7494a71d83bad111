"""Cosine of two columns of the click matrix, straight from the definition."""

from __future__ import annotations

from math import sqrt

from llm_i2i_spark.backbones import ItemKnn
from tests.backbones.oracles.dot import scaled_products
from tests.backbones.plain_log import Log, Similarities


def similarities(log: Log, backbone: ItemKnn) -> Similarities:
    norms: dict[str, float] = {}
    for (_, item), weight in log.weights.items():
        norms[item] = norms.get(item, 0.0) + weight**2
    return scaled_products(log, lambda user, item: log.rows[user][item].weight / sqrt(norms[item]))
