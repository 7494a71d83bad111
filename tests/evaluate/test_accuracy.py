"""Metric rows: names, slices, gains paired by user, and what is left out."""

from __future__ import annotations

import numpy as np
import pytest

from llm_i2i_spark.evaluate.accuracy import accuracy_rows
from llm_i2i_spark.evaluate.outcomes import Outcomes, slice_members

SERIES = [("real", "swing"), ("llm_i2i", "swing")]
IDENTITY = {"run_id": "r1", "protocol": "refit"}


def outcomes(better: list[list[int]], users: list[int], tail: list[bool]) -> Outcomes:
    ranks = np.array(better, np.int64).reshape(len(users), -1)
    flags = np.array(tail)
    member = slice_members(np.where(flags, 1, 5), flags, flags)
    return Outcomes(ranks, np.where(ranks >= 0, 1, 0), np.array(users, np.int64), member)


def by_key(rows: list[dict]) -> dict[tuple, dict]:
    found = {(row["variant"], row["slice"], row["name"], row["k"]): row for row in rows}
    assert len(found) == len(rows)
    return found


def test_values_gains_and_sizes() -> None:
    groups = outcomes(
        [[0, 0], [-1, 3], [-1, -1], [7, -1]], [30, 20, 40, 10], [False, True, False, False]
    )
    found = by_key(accuracy_rows(groups, SERIES, (5, 10), 300, 1, IDENTITY))
    assert found["real", "all", "recall", 5]["value"] == pytest.approx(0.30)
    assert found["real", "all", "recall", 10]["value"] == pytest.approx(0.40)
    assert found["llm_i2i", "all", "recall", 5]["value"] == pytest.approx(0.50)
    assert found["llm_i2i", "all", "recall_gain", 5]["value"] == pytest.approx(0.20)
    assert found["llm_i2i", "all", "recall_relative_gain", 5]["value"] == pytest.approx(2 / 3)
    assert found["llm_i2i", "long_tail", "mrr", 0]["value"] == pytest.approx(0.25)
    assert found["real", "all", "recall", 5]["n"] == 100
    assert found["real", "long_tail", "recall", 5]["n"] == 20
    low, high = (found["llm_i2i", "all", "recall_gain", 5][side] for side in ("ci_low", "ci_high"))
    assert 0 < low < 0.2 < high < 0.4


def test_the_baseline_has_no_gain_and_a_zero_baseline_no_relative_one() -> None:
    groups = outcomes([[-1, 0], [-1, -1]], [5, 5], [True, True])
    found = by_key(accuracy_rows(groups, SERIES, (5,), 50, 1, IDENTITY))
    assert ("real", "all", "recall_gain", 5) not in found
    assert found["llm_i2i", "all", "recall_gain", 5]["value"] == 0.5
    assert ("llm_i2i", "all", "recall_relative_gain", 5) not in found
    assert not any(part in ("head", "new") for _, part, _, _ in found)


def test_pairing_makes_the_gain_sharper_than_the_parts() -> None:
    # Whoever hits before hits after; a few more hit after: unpaired, the difference would drown.
    groups = outcomes([[0, 0], [-1, 0], [-1, -1]], [300, 12, 688], [False] * 3)
    found = by_key(accuracy_rows(groups, SERIES, (5,), 1000, 1, IDENTITY))
    gain, value = found["llm_i2i", "all", "recall_gain", 5], found["llm_i2i", "all", "recall", 5]
    assert gain["ci_low"] > 0
    assert gain["ci_high"] - gain["ci_low"] < (value["ci_high"] - value["ci_low"]) / 3


def test_two_equal_series_differ_by_nothing() -> None:
    groups = outcomes([[0, 0], [3, 3], [-1, -1]], [3, 4, 5], [False] * 3)
    gain = by_key(accuracy_rows(groups, SERIES, (5,), 100, 1, IDENTITY))[
        "llm_i2i", "all", "recall_gain", 5
    ]
    assert (gain["value"], gain["ci_low"], gain["ci_high"]) == (0.0, 0.0, 0.0)


def test_one_variant_alone() -> None:
    rows = accuracy_rows(
        outcomes([[0], [-1]], [1, 1], [False, False]), SERIES[:1], (5,), 50, 1, IDENTITY
    )
    assert {row["name"] for row in rows} == {"recall", "ndcg", "mrr"}
