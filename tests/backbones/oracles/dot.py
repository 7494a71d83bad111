"""Sums of products over the users of two items."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

from tests.backbones.plain_log import Log, Similarities


def scaled_products(log: Log, x: Callable[[str, str], float]) -> Similarities:
    """S(i, j) = sum of x_ui x_uj over the users that count for i."""
    found: dict[tuple[str, str], tuple[float, float, int]] = {}
    for user, own in log.rows.items():
        for i, j in permutations(own, 2):
            if user in log.counted[i]:
                product = x(user, i) * x(user, j)
                total, real, support = found.get((i, j), (0.0, 0.0, 0))
                real += product * (own[i].real and own[j].real)
                found[i, j] = (total + product, real, support + 1)
    return {
        pair: (total, support, 1 - real / total) for pair, (total, real, support) in found.items()
    }
