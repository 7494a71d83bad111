"""Recall, NDCG and MRR are those of trec_eval, the field's reference, user by user."""

from __future__ import annotations

import numpy as np
import pytest

from llm_i2i_spark.metrics import MRR, NDCG, RankingMetric, Recall

pytrec_eval = pytest.importorskip("pytrec_eval")

ITEMS, USERS = 30, 60
THEIRS: dict[RankingMetric, str] = {
    Recall(1): "recall_1",
    Recall(10): "recall_10",
    NDCG(10): "ndcg_cut_10",
    MRR(): "recip_rank",
}


def test_values_equal_those_of_trec_eval() -> None:
    draws = np.random.default_rng(1)
    scores = draws.permuted(np.tile(np.arange(1.0, ITEMS + 1), (USERS, 1)), axis=1)
    held_out = draws.integers(0, ITEMS + 3, USERS)  # the last three items are in nobody's list
    relevant = {f"u{user}": {f"i{item}": 1} for user, item in enumerate(held_out)}
    ranked = {
        f"u{user}": {f"i{item}": float(score) for item, score in enumerate(row)}
        for user, row in enumerate(scores)
    }
    asked = {"recall.1,10", "ndcg_cut.10", "recip_rank"}
    wanted = pytrec_eval.RelevanceEvaluator(relevant, asked).evaluate(ranked)
    listed = held_out < ITEMS
    own = scores[np.arange(USERS), np.minimum(held_out, ITEMS - 1)]
    better = np.where(listed, (scores > own[:, np.newaxis]).sum(axis=1), -1)
    for metric, name in THEIRS.items():
        values = metric.per_user(better, listed.astype(np.int64))
        assert values == pytest.approx([wanted[f"u{user}"][name] for user in range(USERS)])
        assert 0 < values.mean() < 1
