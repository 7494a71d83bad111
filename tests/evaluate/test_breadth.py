"""Coverage, Gini, novelty and the fullness of an index against their plain definitions."""

from __future__ import annotations

from math import log2

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_i2i_spark.evaluate.breadth import breadth_rows, gini, index_rows, novelty

IDENTITY = {"run_id": "r1", "protocol": "refit"}
SERIES = [("real", "swing")]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=40))
def test_gini_is_the_mean_absolute_difference_over_twice_the_mean(shown: list[int]) -> None:
    times, items = np.unique(np.array(shown), return_counts=True)
    pairs = sum(abs(a - b) for a in shown for b in shown)
    expected = pairs / (2 * len(shown) * sum(shown)) if sum(shown) else 0.0
    assert gini(times, items) == pytest.approx(expected, abs=1e-12)


def test_novelty_is_the_mean_self_information() -> None:
    # Items seen 0, 3, 3 times and shown 1, 2, 0 times: p = 1/9, 4/9, 4/9.
    found = novelty(np.array([0, 3]), np.array([1, 2]), np.array([1, 2]))
    assert found == pytest.approx((log2(9) + 2 * log2(9 / 4)) / 3)
    assert novelty(np.array([0]), np.array([0]), np.array([4])) == 0.0


def test_breadth_rows_read_both_groupings() -> None:
    none = float("nan")
    exposure = pd.DataFrame(
        [(0, 5, none, 0, 3, 0), (0, 5, none, 2, 1, 2), (0, 5, 1, none, 4, 2)],
        columns=["series", "k", "seen", "exposure", "items", "shown"],
    )
    found = {row["name"]: row for row in breadth_rows(exposure, SERIES, IDENTITY)}
    assert found["coverage"]["value"] == 0.25
    assert found["gini"]["value"] == pytest.approx(0.75)
    assert found["novelty"]["value"] == pytest.approx(2.0)
    assert found["coverage"]["n"] == 4


def test_index_rows_add_up_by_slice() -> None:
    held = pd.DataFrame(
        [(0, 0, True, True, 2, 0, 0, 0), (0, 5, False, False, 2, 2, 10, 5_000_000)],
        columns=[
            "series",
            "bucket",
            "long_tail",
            "long_tail_train",
            "items",
            "filled",
            "neighbors",
            "share",
        ],
    )
    found = {(row["slice"], row["name"]): row for row in index_rows(held, SERIES, IDENTITY)}
    assert found["all", "fill_rate"]["value"] == 0.5
    assert found["long_tail", "fill_rate"]["value"] == 0.0
    assert found["head", "fill_rate"]["value"] == 1.0
    assert found["all", "list_length"]["value"] == 2.5
    assert found["all", "synthetic_share"]["value"] == 0.5
    assert found["long_tail", "synthetic_share"]["value"] == 0.0
    assert ("seen_1_4", "fill_rate") not in found
