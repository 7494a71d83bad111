"""Share of synthetic evidence in an index."""

from __future__ import annotations

from llm_i2i_spark.metrics.counts import IndexCounts
from llm_i2i_spark.metrics.metric import BeyondAccuracyMetric


class SyntheticShare(BeyondAccuracyMetric[IndexCounts]):
    """Mean share of the evidence behind a neighbour that a language model added.

    synthetic share = sum of the neighbours' shares / neighbours whose share is known. 0 in an empty
    index; undefined where there are neighbours and no share of theirs is known, as in an index that
    another program made.

    >>> index = IndexCounts(4, filled=3, neighbors=9, known_neighbors=8, synthetic=2.0)
    >>> SyntheticShare().value(index)
    0.25
    """

    name = "synthetic_share"
    title = "synthetic share"
    explanation = "the mean share of synthetic evidence behind a neighbour"
    number_format = ".1%"
    is_share = True
    takes_k = False
    needs = IndexCounts

    def value(self, counts: IndexCounts) -> float | None:
        """Mean of the known shares."""
        if counts.known_neighbors:
            return counts.synthetic / counts.known_neighbors
        return None if counts.neighbors else 0.0

    def support(self, counts: IndexCounts) -> int:
        """Neighbours whose share is known."""
        return counts.known_neighbors
