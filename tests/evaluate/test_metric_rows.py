"""Metric rows: names, slices, gains paired by user, and what is left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from llm_i2i_spark.evaluate.metric_rows import beyond_accuracy_rows
from llm_i2i_spark.metrics import MRR, NDCG, Coverage, FillRate, Gini, Recall, SyntheticShare
from llm_i2i_spark.metrics.counts import ExposureCounts, IndexCounts
from tests.rank_groups import BOTH, IDENTITY, rank_groups, rows_of

METRICS = (Recall(5), Recall(10), NDCG(10), MRR())

EARLIER = {
    ("real", "all", "recall", 10): (0.4, 0.31, 0.49524999999999975),
    ("real", "head", "ndcg", 10): (0.4144331095982161, 0.3109998623734626, 0.5168301566354071),
    ("llm_i2i", "all", "mrr", 0): (0.3499999999999999, 0.25999999999999995, 0.4351249999999999),
    ("llm_i2i", "all", "recall_gain", 5): (0.2, 0.13475000000000004, 0.2752499999999998),
    ("llm_i2i", "all", "ndcg_relative_gain", 10): (
        0.1646490792839539,
        0.0453327053300879,
        0.32056332015271327,
    ),
}
"""Value and interval of some figures, written down from the code before metrics were values."""


def by_key(rows: list[dict]) -> dict[tuple, dict]:
    found = {(row["variant"], row["slice"], row["name"], row["k"]): row for row in rows}
    assert len(found) == len(rows)
    return found


def test_values_gains_and_sizes() -> None:
    groups = rank_groups(
        [[0, 0], [-1, 3], [-1, -1], [7, -1]], [30, 20, 40, 10], [False, True, False, False]
    )
    found = by_key(rows_of(groups, METRICS))
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


def test_figures_are_those_of_earlier_versions() -> None:
    groups = rank_groups(
        [[0, 0], [-1, 3], [-1, -1], [7, -1]], [30, 20, 40, 10], [False, True, False, False]
    )
    found = by_key(rows_of(groups, METRICS))
    for key, wanted in EARLIER.items():
        row = found[key]
        assert (row["value"], row["ci_low"], row["ci_high"]) == pytest.approx(wanted, rel=1e-12)


def test_the_baseline_has_no_gain_and_a_zero_baseline_no_relative_one() -> None:
    groups = rank_groups([[-1, 0], [-1, -1]], [5, 5], [True, True])
    found = by_key(rows_of(groups, METRICS))
    assert ("real", "all", "recall_gain", 5) not in found
    assert found["llm_i2i", "all", "recall_gain", 5]["value"] == 0.5
    assert ("llm_i2i", "all", "recall_relative_gain", 5) not in found
    assert not any(part in ("head", "new") for _, part, _, _ in found)


def test_pairing_makes_the_gain_sharper_than_the_parts() -> None:
    # Whoever hits before hits after; a few more hit after: unpaired, the difference would drown.
    groups = rank_groups([[0, 0], [-1, 0], [-1, -1]], [300, 12, 688], [False] * 3)
    found = by_key(rows_of(groups, METRICS, resamples=1000))
    gain, value = found["llm_i2i", "all", "recall_gain", 5], found["llm_i2i", "all", "recall", 5]
    assert gain["ci_low"] > 0
    assert gain["ci_high"] - gain["ci_low"] < (value["ci_high"] - value["ci_low"]) / 3


def test_two_equal_systems_differ_by_nothing() -> None:
    groups = rank_groups([[0, 0], [3, 3], [-1, -1]], [3, 4, 5], [False] * 3)
    gain = by_key(rows_of(groups, METRICS))["llm_i2i", "all", "recall_gain", 5]
    assert (gain["value"], gain["ci_low"], gain["ci_high"]) == (0.0, 0.0, 0.0)


def test_gains_are_over_the_same_backbone_alone() -> None:
    systems = [("real", "swing"), ("llm_i2i", "bm25")]
    rows = rows_of(rank_groups([[0, 0], [-1, -1]], [1, 1], [False, False]), METRICS, systems)
    assert {row["name"] for row in rows} == {"recall", "ndcg", "mrr"}


def test_counts_give_a_row_where_a_metric_has_its_own_kind_of_them() -> None:
    counts: dict[tuple, Any] = {
        (ExposureCounts, 0, "all", 5): ExposureCounts(np.array([0, 2]), np.array([3, 1])),
        (IndexCounts, 0, "all", 0): IndexCounts(4, 2, 10, 10, 5.0),
        (IndexCounts, 0, "head", 0): IndexCounts(2, 2, 10, 0, 0.0),
    }
    metrics = (Coverage(5), Coverage(10), Gini(5), FillRate(), SyntheticShare())
    rows = by_key(beyond_accuracy_rows(counts, BOTH[:1], metrics, IDENTITY))
    assert {key[1:]: row["value"] for key, row in rows.items()} == {
        ("all", "coverage", 5): 0.25,
        ("all", "gini", 5): 0.75,
        ("all", "fill_rate", 0): 0.5,
        ("all", "synthetic_share", 0): 0.5,
        ("head", "fill_rate", 0): 1.0,
    }
    assert rows["real", "all", "synthetic_share", 0]["n"] == 10
    assert all(row["ci_low"] is None for row in rows.values())
