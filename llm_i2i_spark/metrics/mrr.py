"""Mean reciprocal rank."""

from __future__ import annotations

from llm_i2i_spark.kernels.arrays import Float64Array, Int64Array
from llm_i2i_spark.metrics.metric import RankingMetric


class MRR(RankingMetric):
    """Mean over users of one over the rank of the held-out item; 0 where it is not listed.

    gain(r) = 1 / r over the whole ranking, without a length of list.

    Source: Voorhees (1999), "The TREC-8 Question Answering Track Report".

    Items at rank 1, at rank 4, and at rank 1 or 2 with equal chance:

    >>> import numpy as np
    >>> MRR().per_user(better=np.array([0, 3, 0]), ties=np.array([1, 1, 2]))
    array([1.  , 0.25, 0.75])
    """

    name = "mrr"
    title = "MRR"
    explanation = "the mean of one over the rank of the held-out item"
    takes_k = False

    def gain(self, rank: Int64Array) -> Float64Array:
        """One over the rank."""
        values: Float64Array = 1.0 / rank
        return values
