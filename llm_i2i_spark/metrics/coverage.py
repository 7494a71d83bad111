"""Coverage of the catalogue."""

from __future__ import annotations

from llm_i2i_spark.metrics.counts import ExposureCounts
from llm_i2i_spark.metrics.metric import BeyondAccuracyMetric


class Coverage(BeyondAccuracyMetric[ExposureCounts]):
    """Share of the catalogue that is among the first k recommendations of anyone.

    coverage = |{items recommended at least once}| / |catalogue|.

    Source: Ge, Delgado-Battenfeld and Jannach (2010), "Beyond Accuracy: Evaluating Recommender
    Systems by Coverage and Serendipity" (catalogue coverage).

    Three items that nobody is shown, and one that two users are:

    >>> import numpy as np
    >>> Coverage(10).value(ExposureCounts(times=np.array([0, 2]), items=np.array([3, 1])))
    0.25
    """

    name = "coverage"
    title = "coverage"
    explanation = "the share of the catalogue that anyone was shown"
    number_format = ".1%"
    is_share = True
    needs = ExposureCounts

    def value(self, counts: ExposureCounts) -> float:
        """Recommended items over all items."""
        return float(counts.items[counts.times > 0].sum() / counts.n_items)
