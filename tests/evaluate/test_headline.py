"""The figures a run is judged by, and the table printed for people."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from llm_i2i_spark.evaluate.accuracy import MetricRow, accuracy_rows
from llm_i2i_spark.evaluate.headline import comparison_lines, headline
from llm_i2i_spark.evaluate.outcomes import Outcomes, slice_members

SERIES = [("real", "swing"), ("llm_i2i", "swing"), ("no_generator", "swing")]


def make_rows(
    series: list[tuple[str, str]] = SERIES, ks: tuple[int, ...] = (5, 10)
) -> list[MetricRow]:
    """100 of 1,000 users hit before, 160 with `llm_i2i`, 101 without a generator; a tenth of the
    targets in the long tail.
    """
    better = np.array([[0, 0, 0], [-1, 2, -1], [-1, -1, 9], [-1, -1, -1]])[:, : len(series)]
    users = np.array([100, 60, 1, 839])
    tail = np.array([False, True, False, False])
    outcomes = Outcomes(
        better, (better >= 0).astype(int), users, slice_members(np.full(4, 5), tail, tail)
    )
    return accuracy_rows(outcomes, series, ks, 400, 1, {"run_id": "r1", "protocol": "refit"})


def test_headline_holds_values_gains_and_verdicts() -> None:
    summary = headline(make_rows())
    assert (summary["k"], summary["protocol"], summary["users"]) == (10, "refit", 1000)
    assert list(summary["variants"]) == ["real", "llm_i2i", "no_generator"]
    ours = summary["variants"]["llm_i2i"]["all"]["recall@10"]
    assert ours["value"] == pytest.approx(0.16)
    assert ours["relative_gain"] == pytest.approx(0.6)
    assert ours["interval"][0] < 0.16 < ours["interval"][1]
    assert ours["significant"] is True
    assert summary["variants"]["no_generator"]["all"]["recall@10"]["significant"] is False
    assert "gain" not in summary["variants"]["real"]["all"]["recall@10"]
    # Nobody hits the long tail before: there is a difference, but no ratio.
    tail = summary["variants"]["llm_i2i"]["long_tail"]["recall@10"]
    assert tail["gain"] == 1.0
    assert "relative_gain" not in tail
    assert json.loads(json.dumps(summary)) == summary


def test_the_order_of_rows_does_not_matter() -> None:
    rows = make_rows()
    assert headline(random.Random(2).sample(rows, len(rows))) == headline(rows)


def test_lines_are_aligned_and_tell_chance() -> None:
    lines = comparison_lines(headline(make_rows()))
    assert lines[0] == "1,000 users, protocol refit, whole catalogue ranked"
    start = lines[1].index("value")
    assert all(line[start : start + 2] == "0." for line in lines[2:8])
    ours = next(line for line in lines if "llm_i2i" in line)
    assert "0.1600" in ours
    assert "+60.0%" in ours
    assert "within chance" not in ours
    assert "within chance" in next(line for line in lines if "no_generator" in line)


def test_other_lengths_one_variant_two_backbones_and_nothing() -> None:
    assert headline(make_rows(ks=(5, 20)))["k"] == 5
    assert list(headline(make_rows(SERIES[:1]))["variants"]) == ["real"]
    assert list(headline(make_rows([("real", "swing"), ("real", "supplied")]))["variants"]) == [
        "real (supplied)",
        "real (swing)",
    ]
    assert headline([]) == {}
    assert comparison_lines({}) == []
