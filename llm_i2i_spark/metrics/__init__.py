"""Metrics as values, and intervals over users. NumPy alone: neither Spark nor compiled kernels.

A new metric is a file here, its test, and its entry in `METRICS`.
"""

from __future__ import annotations

from collections.abc import Sequence

from llm_i2i_spark.metrics.coverage import Coverage as Coverage
from llm_i2i_spark.metrics.fill_rate import FillRate as FillRate
from llm_i2i_spark.metrics.gini import Gini as Gini
from llm_i2i_spark.metrics.list_length import ListLength as ListLength
from llm_i2i_spark.metrics.metric import BeyondAccuracyMetric as BeyondAccuracyMetric
from llm_i2i_spark.metrics.metric import Metric as Metric
from llm_i2i_spark.metrics.metric import RankingMetric as RankingMetric
from llm_i2i_spark.metrics.mrr import MRR as MRR
from llm_i2i_spark.metrics.ndcg import NDCG as NDCG
from llm_i2i_spark.metrics.novelty import Novelty as Novelty
from llm_i2i_spark.metrics.recall import Recall as Recall
from llm_i2i_spark.metrics.synthetic_share import SyntheticShare as SyntheticShare

METRICS: tuple[type[Metric], ...] = (
    Recall,
    NDCG,
    MRR,
    Coverage,
    Gini,
    Novelty,
    FillRate,
    ListLength,
    SyntheticShare,
)
"""Every metric that stage `evaluate` computes, in the order in which tables show them."""


def all_metrics(ks: Sequence[int]) -> tuple[Metric, ...]:
    """Every metric of `METRICS`, at each length of list where it takes one.

    >>> all_metrics((5, 10))[:5]
    (Recall(5), Recall(10), NDCG(5), NDCG(10), MRR())
    """
    return tuple(metric for kind in METRICS for metric in kind.at_lengths(ks))
