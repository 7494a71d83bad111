"""How much each interaction counts beside the strongest one of the log."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

LEAST_WEIGHT = 1e-6
"""An interaction that is weaker than so small a part of the strongest counts as much as this."""


@dataclass(frozen=True)
class WeightScale:
    """The weights of a log.

    Attributes:
        weakest: the least weight.
        strongest: the greatest.
    """

    weakest: float = 1.0
    strongest: float = 1.0

    def relative(self) -> Column:
        """The weight over the strongest one, in (0, 1]; 1 throughout where all are equal."""
        if self.weakest == self.strongest:
            return F.lit(1.0)
        return F.greatest(F.col("weight") / F.lit(self.strongest), F.lit(LEAST_WEIGHT))

    def mean_relative(self, interactions: DataFrame) -> float:
        """The mean of the relative weights: what an interaction counts of which nothing else is
        known.

        Args:
            interactions: whose weights these are, at least one.
        """
        if self.weakest == self.strongest:
            return 1.0
        # A sum of decimals does not depend on the order of the rows.
        total = F.sum(self.relative().cast("decimal(20,18)")).cast("double")
        row = interactions.agg((total / F.count("*")).alias("mean")).first()
        assert row is not None
        return float(row["mean"])


def measure_weights(interactions: DataFrame) -> WeightScale:
    """The weights of some interactions, which may be none.

    Args:
        interactions: with `weight`, above 0.
    """
    row = interactions.agg(F.min("weight").alias("least"), F.max("weight").alias("most")).first()
    assert row is not None
    return WeightScale() if row["most"] is None else WeightScale(row["least"], row["most"])
