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


def expected(better: int, ties: int) -> dict[str, float]:
    """Every order of the tied items, one by one; the held-out one is the first of them."""
    if better < 0:
        return {metric.label: 0.0 for metric in EVERY}
    ranks = [better + 1 + order.index(0) for order in permutations(range(ties))]
    values = {f"recall@{k}": np.mean([rank <= k for rank in ranks]) for k in KS}
    for k in KS:
        gains = [1 / log2(rank + 1) if rank <= k else 0.0 for rank in ranks]
        values[f"ndcg@{k}"] = np.mean(gains)
    return {**values, "mrr": np.mean([1 / rank for rank in ranks])}


@pytest.mark.parametrize("better", [-1, 0, 1, 2, 4, 5, 9])
@pytest.mark.parametrize("ties", [1, 2, 3, 5])
def test_values_are_means_over_all_orders_of_a_tie(better: int, ties: int) -> None:
    found = per_user_values(EVERY, np.array([better]), np.array([ties if better >= 0 else 0]))
    assert found.shape == (1, len(EVERY))
    wanted = expected(better, ties)
    for metric, value in zip(EVERY, found[0], strict=True):
        assert value == pytest.approx(wanted[metric.label], abs=1e-12), metric


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
