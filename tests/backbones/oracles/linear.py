"""Linear next-item regression, straight from the definition."""

from __future__ import annotations

from collections import Counter

import numpy as np

from llm_i2i_spark.backbones import Linear
from tests.backbones.oracles.em_transitions import clicks_in_order
from tests.backbones.plain_log import Log, Similarities, item_order

UNIT, SIMILARITY_UNIT = 2.0**-32, 2.0**-30


def similarities(log: Log, backbone: Linear) -> Similarities:
    gram, cross, support = sums_of_products(log, backbone)
    items = sorted({item for pair in cross for item in pair}, key=item_order)
    x_x = np.array([[gram[i, k] for k in items] for i in items]) * UNIT
    x_y = np.array([[cross[i, j] for j in items] for i in items]) * UNIT
    if len(items) <= backbone.dense_items:
        b = np.linalg.solve(x_x + backbone.ridge * np.eye(len(items)), x_y)
    else:
        b = np.zeros_like(x_y)
        for j in range(len(items)):
            best = sorted(np.flatnonzero(x_y[:, j]), key=lambda i: (-x_y[i, j], i))
            chosen = sorted(best[: backbone.sources])
            regularised = x_x[np.ix_(chosen, chosen)] + backbone.ridge * np.eye(len(chosen))
            b[chosen, j] = np.linalg.solve(regularised, x_y[chosen, j])
    return {
        (i, j): (round(float(value) / SIMILARITY_UNIT) * SIMILARITY_UNIT, support[i, j], 0.0)
        for i, row in zip(items, b, strict=True)
        for j, value in zip(items, row, strict=True)
        if i != j
    }


def sums_of_products(log: Log, backbone: Linear):
    """X'X, X'Y in units of 2^-32, and the number of clicks behind the latter."""
    gram, cross, support = Counter(), Counter(), Counter()
    for own in log.uncapped.values():
        clicks = clicks_in_order(own)
        for place, j in enumerate(clicks):
            earlier = clicks[max(0, place - backbone.history) : place]
            ages = reversed(range(len(earlier)))
            x = {
                i: own[i].weight * backbone.decay**age for i, age in zip(earlier, ages, strict=True)
            }
            for i in earlier:
                cross[i, j] += round(x[i] * own[j].weight / UNIT)
                support[i, j] += 1
                for k in earlier:
                    gram[i, k] += round(x[i] * x[k] * own[j].weight / UNIT)
    return gram, cross, support
