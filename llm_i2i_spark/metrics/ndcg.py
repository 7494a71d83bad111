"""Normalised discounted cumulative gain at k."""

from __future__ import annotations

import numpy as np

from llm_i2i_spark.kernels.arrays import Float64Array, Int64Array
from llm_i2i_spark.metrics.metric import RankingMetric


class NDCG(RankingMetric):
    """Recall at k that weighs a hit by its rank: less the further down the list it stands.

    gain(r) = 1 / log2(r + 1) if r <= k else 0. With one relevant item the ideal list is worth 1, so
    the discounted gain is normalised as it is.

    Source: Järvelin and Kekäläinen (2002), "Cumulated Gain-Based Evaluation of IR Techniques", with
    the discount log2(r + 1).

    Items at rank 1, at rank 3, and at rank 11:

    >>> import numpy as np
    >>> NDCG(10).per_user(better=np.array([0, 2, 10]), ties=np.array([1, 1, 1]))
    array([1. , 0.5, 0. ])
    """

    name = "ndcg"
    title = "NDCG"
    explanation = "the same, a hit at rank r counting 1 / log2(r + 1)"

    def gain(self, rank: Int64Array) -> Float64Array:
        """The discount of the rank within the first k, 0 after."""
        return np.where(rank <= self.k, 1.0 / np.log2(rank + 1), 0.0)
