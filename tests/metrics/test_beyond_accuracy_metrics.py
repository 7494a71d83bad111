"""Coverage, Gini, novelty and the fullness of an index against their plain definitions."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_i2i_spark.metrics import Coverage, FillRate, Gini, ListLength, Novelty, SyntheticShare
from llm_i2i_spark.metrics.counts import ExposureCounts, IndexCounts, PopularityCounts

EXPOSURES = st.lists(st.integers(0, 30), min_size=1, max_size=40)


def exposure(shown: list[int]) -> ExposureCounts:
    times, items = np.unique(np.array(shown), return_counts=True)
    return ExposureCounts(times, items)


@given(EXPOSURES)
def test_gini_is_the_mean_absolute_difference_over_twice_the_mean(shown: list[int]) -> None:
    pairs = sum(abs(a - b) for a in shown for b in shown)
    expected = pairs / (2 * len(shown) * sum(shown)) if sum(shown) else 0.0
    assert Gini(10).value(exposure(shown)) == pytest.approx(expected, abs=1e-12)


@given(EXPOSURES)
def test_coverage_is_the_share_of_items_shown_to_anyone(shown: list[int]) -> None:
    counts = exposure(shown)
    assert Coverage(10).value(counts) == pytest.approx(np.mean([times > 0 for times in shown]))
    assert Coverage(10).support(counts) == len(shown)


def test_novelty_is_the_mean_self_information() -> None:
    # Items seen 0, 3, 3 times and shown 1, 2, 0 times: p = 1/9, 4/9, 4/9.
    counts = PopularityCounts(np.array([0, 3]), np.array([1, 2]), np.array([1, 2]))
    assert Novelty(10).value(counts) == pytest.approx((log2(9) + 2 * log2(9 / 4)) / 3)
    nothing = PopularityCounts(np.array([0]), np.array([4]), np.array([0]))
    assert Novelty(10).value(nothing) == 0.0


def test_a_share_of_synthetic_evidence_is_of_what_is_known() -> None:
    half = IndexCounts(items=4, filled=2, neighbors=10, known_neighbors=10, synthetic=5.0)
    assert (FillRate().value(half), FillRate().support(half)) == (0.5, 4)
    assert (ListLength().value(half), ListLength().support(half)) == (2.5, 4)
    assert (SyntheticShare().value(half), SyntheticShare().support(half)) == (0.5, 10)
    unknown = IndexCounts(items=4, filled=2, neighbors=10, known_neighbors=0, synthetic=0.0)
    assert SyntheticShare().value(unknown) is None
    empty = IndexCounts(items=4, filled=0, neighbors=0, known_neighbors=0, synthetic=0.0)
    assert SyntheticShare().value(empty) == 0.0
