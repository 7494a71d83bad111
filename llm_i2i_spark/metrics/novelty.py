"""Novelty of the recommended items."""

from __future__ import annotations

import numpy as np

from llm_i2i_spark.metrics.counts import PopularityCounts
from llm_i2i_spark.metrics.metric import BeyondAccuracyMetric


class Novelty(BeyondAccuracyMetric[PopularityCounts]):
    """Mean self-information, in bits, of the first k recommendations: higher for less popular ones.

    novelty = mean over recommendations of -log2 p(item), p(item) = (seen + 1) / (all interactions
    seen + size of the catalogue). The one added to each count keeps an unseen item finite. 0 where
    nothing is shown.

    Source: Zhou et al. (2010), "Solving the Apparent Diversity-Accuracy Dilemma of Recommender
    Systems" (self-information); Vargas and Castells (2011), "Rank and Relevance in Novelty and
    Diversity Metrics for Recommender Systems".

    Two recommendations, both of items that were seen once, as all four items of the catalogue were:

    >>> import numpy as np
    >>> ones = PopularityCounts(np.array([1]), items=np.array([4]), recommended=np.array([2]))
    >>> Novelty(10).value(ones)
    2.0
    """

    name = "novelty"
    title = "novelty"
    explanation = "the mean surprise of a shown item in bits, higher for less popular ones"
    number_format = ".2f"
    needs = PopularityCounts

    def value(self, counts: PopularityCounts) -> float:
        """Mean of -log2 of an item's share of the interactions."""
        total = int(counts.recommended.sum())
        if total == 0:
            return 0.0
        smoothed = float((counts.seen * counts.items).sum() + counts.items.sum())
        chance = (counts.seen + 1) / smoothed
        return float((counts.recommended * -np.log2(chance)).sum() / total)
