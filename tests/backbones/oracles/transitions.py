"""Transitions, straight from the definition."""

from __future__ import annotations

from llm_i2i_spark.backbones import Transitions
from tests.backbones.plain_log import Log, Similarities


def similarities(log: Log, backbone: Transitions) -> Similarities:
    found: dict[tuple[str, str], tuple[float, int]] = {}
    for user, own in log.rows.items():
        clicks = sorted((item for item in own if own[item].real), key=lambda i: own[i].position)
        for position, i in enumerate(clicks):
            if user not in log.counted[i]:
                continue
            ahead = clicks[position + 1 : position + 1 + backbone.window]
            for distance, j in enumerate(ahead, start=1):
                total, support = found.get((i, j), (0.0, 0))
                found[i, j] = (total + own[i].weight * own[j].weight / distance, support + 1)
    return {pair: (total, support, 0.0) for pair, (total, support) in found.items()}
