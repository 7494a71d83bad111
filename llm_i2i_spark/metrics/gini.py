"""Gini coefficient of exposure."""

from __future__ import annotations

import numpy as np

from llm_i2i_spark.metrics.counts import ExposureCounts
from llm_i2i_spark.metrics.metric import BeyondAccuracyMetric


class Gini(BeyondAccuracyMetric[ExposureCounts]):
    """Inequality of exposure among the first k recommendations: 0 where all items are shown equally
    often, near 1 where few get everything.

    gini = 1 - sum over items in rising order of (S_before + S_after) / (n * S), with S the running
    sum of exposures and n the number of items: one less twice the area under the Lorenz curve. 0
    where nothing is shown.

    Source: Gini (1912), "Variabilità e mutabilità"; for recommendations Fleder and Hosanagar
    (2009), "Blockbuster Culture's Next Rise or Fall".

    One item of four gets every recommendation:

    >>> import numpy as np
    >>> Gini(10).value(ExposureCounts(times=np.array([0, 2]), items=np.array([3, 1])))
    0.75
    """

    name = "gini"
    title = "Gini"
    explanation = "0 where all items are shown equally often and 1 where one item takes all"
    number_format = ".3f"
    needs = ExposureCounts

    def value(self, counts: ExposureCounts) -> float:
        """One less twice the area under the Lorenz curve of exposure."""
        order = np.argsort(counts.times)
        items = counts.items[order].astype(float)
        shown = items * counts.times[order].astype(float)
        total = float(shown.sum())
        if total == 0:
            return 0.0
        after = np.cumsum(shown)
        before = after - shown
        # Within a class the running sum grows by equal steps, so its mean is the middle.
        return float(1 - (items * (before + after)).sum() / (items.sum() * total))
