"""Values of ranks: ties at their expectation over random orders."""

from __future__ import annotations

from itertools import permutations
from math import log2

import numpy as np
import pytest

from llm_i2i_spark.evaluate.outcomes import SLICES, metric_names, metric_values, slice_members

KS = (1, 3, 5)


def expected(better: int, ties: int) -> list[float]:
    """Every order of the tie group, one by one; the target is member 0."""
    if better < 0:
        return [0.0] * (2 * len(KS) + 1)
    places = [better + 1 + order.index(0) for order in permutations(range(ties))]
    recall = [np.mean([place <= k for place in places]) for k in KS]
    ndcg = [np.mean([1 / log2(place + 1) if place <= k else 0.0 for place in places]) for k in KS]
    return [*recall, *ndcg, np.mean([1 / place for place in places])]


@pytest.mark.parametrize("better", [-1, 0, 1, 2, 4, 5, 9])
@pytest.mark.parametrize("ties", [1, 2, 3, 5])
def test_values_are_means_over_all_orders_of_a_tie(better: int, ties: int) -> None:
    found = metric_values(np.array([better]), np.array([ties if better >= 0 else 0]), KS)
    assert found.shape == (1, len(metric_names(KS)))
    assert found[0] == pytest.approx(expected(better, ties), abs=1e-12)


def test_nobody_listed() -> None:
    assert not metric_values(np.array([[-1, -1]]), np.array([[0, 0]]), KS).any()


def test_slices_split_by_tail_and_popularity() -> None:
    member = slice_members(
        np.array([0, 1, 5]), np.array([True, True, False]), np.array([True, False, False])
    )
    by_name = dict(zip(SLICES, member.T.tolist(), strict=True))
    assert by_name["all"] == [True, True, True]
    assert by_name["long_tail"] == [True, True, False]
    assert by_name["long_tail_train"] == [True, False, False]
    assert by_name["head"] == [False, False, True]
    assert by_name["new"] == [True, False, False]
    assert by_name["seen_1_4"] == [False, True, False]
    assert by_name["seen_50_up"] == [False, False, True]
