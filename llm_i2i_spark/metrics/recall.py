"""Recall at k."""

from __future__ import annotations

import numpy as np

from llm_i2i_spark.kernels.arrays import Float64Array, Int64Array
from llm_i2i_spark.metrics.metric import RankingMetric


class Recall(RankingMetric):
    """Share of users whose held-out item is among the first k recommendations.

    gain(r) = 1 if r <= k else 0. With one relevant item a user this is the recall of the list, and
    the hit rate as well.

    Source: van Rijsbergen (1979), "Information Retrieval", chapter 7; for held-out items of top-k
    lists Cremonesi, Koren and Turrin (2010), "Performance of Recommender Algorithms on Top-N
    Recommendation Tasks".

    The first user's item leads their list; the second one's shares ranks 10 and 11 with another;
    the third one's is not listed:

    >>> import numpy as np
    >>> Recall(10).per_user(better=np.array([0, 9, -1]), ties=np.array([1, 2, 0]))
    array([1. , 0.5, 0. ])
    """

    name = "recall"
    title = "Recall"
    explanation = "the share of users whose held-out item is among the first k"
    is_share = True

    def gain(self, rank: Int64Array) -> Float64Array:
        """1 within the first k, 0 after."""
        return (rank <= self.k).astype(np.float64)
