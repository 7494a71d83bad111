"""Swing, straight from the definition."""

from __future__ import annotations

from itertools import combinations, permutations
from math import prod

from llm_i2i_spark.backbones import Swing
from tests.backbones.plain_log import Log, Similarities


def similarities(log: Log, swing: Swing) -> Similarities:
    w = {
        user: (swing.a1 + sum(edge.weight for edge in own.values())) ** -swing.b
        for user, own in log.rows.items()
    }
    found: dict[tuple[str, str], tuple[float, float, set[str]]] = {}
    for u, v in combinations(log.rows, 2):
        both = log.rows[u].keys() & log.rows[v].keys()
        for i, j in permutations(both, 2):
            if not {u, v} <= log.counted[i]:
                continue
            edges = [log.rows[user][item] for user in (u, v) for item in (i, j)]
            term = w[u] * w[v] * prod(edge.weight for edge in edges) / (swing.a2 + len(both))
            total, real, users = found.get((i, j), (0.0, 0.0, set()))
            real += term * all(edge.real for edge in edges)
            found[i, j] = (total + term, real, users | {u, v})
    return {
        pair: (total, len(users), 1 - real / total) for pair, (total, real, users) in found.items()
    }
