"""Ranking metrics: ties at their expectation over random orders, misses at nothing."""

from __future__ import annotations

from itertools import permutations
from math import log2

import numpy as np
import pytest

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.metrics import METRICS, MRR, NDCG, RankingMetric, Recall, all_metrics
from llm_i2i_spark.metrics.metric import per_user_values

KS = (1, 3, 5)
EVERY = [metric for metric in all_metrics(KS) if isinstance(metric, RankingMetric)]


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_a_value_is_the_mean_gain_over_all_orders_of_a_tie(metric: RankingMetric) -> None:
    for better in (0, 1, 2, 4, 5, 9):
        for ties in (1, 2, 3, 5):
            # The held-out item is the first of those that tie.
            orders = permutations(range(ties))
            ranks = np.array([better + 1 + order.index(0) for order in orders])
            found = metric.per_user(np.array([better]), np.array([ties]))
            assert found == pytest.approx([metric.gain(ranks).mean()], abs=1e-12)


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_a_hit_further_up_is_worth_no_less_and_none_is_worth_more_than_one(
    metric: RankingMetric,
) -> None:
    gains = metric.gain(np.arange(1, 40))
    assert (np.diff(gains) <= 0).all()
    assert 0 <= gains[-1] <= gains[0] <= 1


def test_gains_are_those_of_the_definitions() -> None:
    ranks = np.arange(1, 8)
    assert Recall(3).gain(ranks).tolist() == [1, 1, 1, 0, 0, 0, 0]
    assert NDCG(3).gain(ranks) == pytest.approx([1, 1 / log2(3), 0.5, 0, 0, 0, 0])
    assert MRR().gain(ranks) == pytest.approx([1 / rank for rank in range(1, 8)])


def test_nobody_listed_is_worth_nothing_in_any_metric() -> None:
    missed = per_user_values(EVERY, np.array([[-1, -1]]), np.array([[0, 0]]))
    assert missed.shape == (1, 2, len(EVERY))
    assert not missed.any()
    assert per_user_values([], np.array([[0, 1]]), np.array([[1, 1]])).shape == (1, 2, 0)


def test_a_metric_is_a_value_with_a_label() -> None:
    assert Recall(10) == Recall(10) != Recall(5)
    assert Recall(10) != NDCG(10)
    assert len({Recall(10), Recall(10), MRR(), MRR()}) == 2
    assert [metric.label for metric in (Recall(10), NDCG(5), MRR())] == [
        "recall@10",
        "ndcg@5",
        "mrr",
    ]
    assert repr((Recall(10), MRR())) == "(Recall(10), MRR())"
    with pytest.raises(UserError, match=r"Recall needs the length of the list, such as Recall\(10"):
        Recall(0)
    with pytest.raises(UserError, match=r"MRR has no length of list; write MRR\(\)"):
        MRR(10)


def test_every_metric_explains_itself_and_no_two_share_a_label() -> None:
    metrics = all_metrics(KS)
    assert len({metric.label for metric in metrics}) == len(metrics)
    for kind in METRICS:
        assert kind.title
        assert kind.explanation
        assert ">>>" in (kind.__doc__ or ""), f"{kind.__name__} lacks an example"
        assert format(0.5, kind.number_format)
