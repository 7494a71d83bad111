"""The figures a run is judged by, and the table printed for people."""

from __future__ import annotations

import json
import random

import pytest

from llm_i2i_spark.evaluate.metric_rows import MetricRow
from llm_i2i_spark.evaluate.summary_table import summary_lines, summary_table
from llm_i2i_spark.metrics import MRR, NDCG, Recall
from tests.rank_groups import rank_groups, rows_of

SYSTEMS = [("real", "swing"), ("llm_i2i", "swing"), ("no_generator", "swing")]


def make_rows(
    systems: list[tuple[str, str]] = SYSTEMS, ks: tuple[int, ...] = (5, 10)
) -> list[MetricRow]:
    """100 of 1,000 users hit before, 160 with `llm_i2i`, 101 without a generator; a tenth of the
    held-out items in the long tail.
    """
    better = [[0, 0, 0], [-1, 2, -1], [-1, -1, 9], [-1, -1, -1]]
    groups = rank_groups(
        [row[: len(systems)] for row in better], [100, 60, 1, 839], [False, True, False, False]
    )
    metrics = [*map(Recall, ks), *map(NDCG, ks), MRR()]
    return rows_of(groups, metrics, systems, resamples=400)


def test_a_summary_holds_values_gains_and_verdicts() -> None:
    summary = summary_table(make_rows())
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
    assert summary_table(random.Random(2).sample(rows, len(rows))) == summary_table(rows)


def test_lines_are_aligned_and_tell_chance() -> None:
    lines = summary_lines(summary_table(make_rows()))
    assert lines[0] == "1,000 users, protocol refit, whole catalogue ranked"
    start = lines[1].index("value")
    assert all(line[start : start + 2] == "0." for line in lines[2:8])
    ours = next(line for line in lines if "llm_i2i" in line)
    assert "0.1600" in ours
    assert "+60.0%" in ours
    assert "within chance" not in ours
    assert "within chance" in next(line for line in lines if "no_generator" in line)


def test_other_lengths_one_variant_two_backbones_and_nothing() -> None:
    assert summary_table(make_rows(ks=(5, 20)))["k"] == 5
    assert list(summary_table(make_rows(SYSTEMS[:1]))["variants"]) == ["real"]
    assert list(
        summary_table(make_rows([("real", "swing"), ("real", "external")]))["variants"]
    ) == [
        "real · external",
        "real · swing",
    ]
    assert summary_table([]) == {}
    assert summary_lines({}) == []
