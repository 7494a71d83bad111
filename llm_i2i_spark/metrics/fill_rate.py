"""Fill rate of an index."""

from __future__ import annotations

from llm_i2i_spark.metrics.counts import IndexCounts
from llm_i2i_spark.metrics.metric import BeyondAccuracyMetric


class FillRate(BeyondAccuracyMetric[IndexCounts]):
    """Share of the items that have at least one neighbour in the index.

    fill rate = |{items with a non-empty list}| / |items|. An item without a neighbour can neither
    be found nor help to find others. This is the item-space coverage of the index: Herlocker et al.
    (2004), "Evaluating Collaborative Filtering Recommender Systems", section 5.1.

    >>> FillRate().value(IndexCounts(4, filled=3, neighbors=9, known_neighbors=9, synthetic=0.0))
    0.75
    """

    name = "fill_rate"
    title = "fill rate"
    explanation = "the share of items that have a neighbour"
    number_format = ".1%"
    is_share = True
    takes_k = False
    needs = IndexCounts

    def value(self, counts: IndexCounts) -> float:
        """Items with a neighbour over all items."""
        return counts.filled / counts.items
