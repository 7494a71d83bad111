"""A metric is read as a person writes it, and what is none gets a sentence."""

from __future__ import annotations

import pytest

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.experiments.tuning.objective import Objective, read_objective
from llm_i2i_spark.metrics import MRR, NDCG, Recall


@pytest.mark.parametrize(
    ("text", "objective"),
    [
        ("ndcg@10", Objective(NDCG(10))),
        ("recall@20/long_tail", Objective(Recall(20), "long_tail")),
        ("mrr", Objective(MRR())),
    ],
)
def test_a_metric_is_read_and_shown_again(text: str, objective: Objective) -> None:
    assert read_objective(text) == objective
    assert read_objective(text).label == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ndgc@10", "did you mean ndcg"),
        ("precision@10", "recall@10, ndcg@10 or mrr"),
        ("coverage@10", "coverage judges what is recommended at large"),
        ("ndcg", "Write the metric as ndcg@10"),
        ("ndcg@ten", "Write the metric as ndcg@10"),
        ("mrr@10", "Write the metric as mrr"),
        ("ndcg@0", "needs the length of the list"),
        ("ndcg@10/longtail", "did you mean long_tail"),
        ("", "wants a metric"),
    ],
)
def test_what_is_no_metric_of_the_ranking_gets_a_sentence(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as error:
        read_objective(text)
    assert str(error.value).endswith(".")
