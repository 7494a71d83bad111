"""Mean length of the lists of an index."""

from __future__ import annotations

from llm_i2i_spark.metrics.counts import IndexCounts
from llm_i2i_spark.metrics.metric import BeyondAccuracyMetric


class ListLength(BeyondAccuracyMetric[IndexCounts]):
    """Mean number of neighbours an item has in the index, items without any included.

    list length = neighbours of all items / |items|.

    >>> ListLength().value(IndexCounts(4, filled=3, neighbors=9, known_neighbors=9, synthetic=0.0))
    2.25
    """

    name = "list_length"
    title = "mean length of list"
    explanation = "the mean number of neighbours an item has"
    number_format = ".1f"
    takes_k = False
    needs = IndexCounts

    def value(self, counts: IndexCounts) -> float:
        """Neighbours over items."""
        return counts.neighbors / counts.items
