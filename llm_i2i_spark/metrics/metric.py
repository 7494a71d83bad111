"""What a metric is: a small value with a name, a list length, a formula and its source.

A *ranking metric* judges where each user's held-out item stands. A *beyond-accuracy metric* judges
what is recommended at large, or the index itself, from counts that it names. A new metric is a
subclass in a file of its own and an entry in `METRICS`; the evaluation, its tables and its report
run over the metrics they are given and ask for no name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

import numpy as np

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.kernels.arrays import Float64Array, Int64Array
from llm_i2i_spark.metrics.counts import Counts

CountsT = TypeVar("CountsT", bound=Counts)


@dataclass(frozen=True, repr=False)
class Metric(ABC):
    """A metric and the list length that it looks at.

    Attributes:
        k: length of the recommended list, from 1; 0 for a metric that has none.
        name: in the table `metrics`, without the length.
        title: for people.
        explanation: half a sentence that says what the value means.
        number_format: how a value is shown, as a format specification of Python.
        takes_k: whether the metric is defined for a length of list.
        is_share: whether the value is a share of something, which sentences give in per cent.

    Raises:
        ConfigError: the length does not fit the metric.
    """

    k: int = 0

    name: ClassVar[str]
    title: ClassVar[str]
    explanation: ClassVar[str]
    number_format: ClassVar[str] = ".4f"
    takes_k: ClassVar[bool] = True
    is_share: ClassVar[bool] = False

    def __post_init__(self) -> None:
        kind = type(self).__name__
        if self.takes_k and self.k < 1:
            raise ConfigError(f"{kind} needs the length of the list, such as {kind}(10).")
        if not self.takes_k and self.k:
            raise ConfigError(f"{kind} has no length of list; write {kind}().")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.k or ''})"

    @property
    def label(self) -> str:
        """The name with the length: `recall@10`, `mrr`."""
        return f"{self.name}@{self.k}" if self.k else self.name

    @classmethod
    def at_lengths(cls, ks: Iterable[int]) -> list[Metric]:
        """The metric at each of some lengths; once, if it has none."""
        return [cls(k) for k in ks] if cls.takes_k else [cls()]


class RankingMetric(Metric):
    """A metric of the rank of one relevant item: each user's held-out one.

    Ranks come from scores, and scores can tie. An item that shares its score with others stands at
    each rank of the tie with equal chance, so the value of a user is the mean of `gain` over the
    ranks b+1 .. b+t, where b items score higher and t have the item's score, itself included
    (McSherry and Najork 2008, "Computing Information Retrieval Performance Measures Efficiently in
    the Presence of Tied Scores").
    """

    @abstractmethod
    def gain(self, rank: Int64Array) -> Float64Array:
        """What a user is worth whose held-out item stands at a rank.

        Args:
            rank: (ranks,) from 1.

        Returns:
            (ranks,)
        """

    def per_user(self, better: Int64Array, ties: Int64Array) -> Float64Array:
        """The value of each user; 0 for a miss.

        Args:
            better: (...) items that score strictly higher than the held-out one; -1 for a miss.
            ties: (...) items with exactly its score, itself included.

        Returns:
            (...)
        """
        listed = better >= 0
        first = np.where(listed, better, 0)
        last = np.where(listed, better + ties, 0)
        share = np.where(listed, 1.0 / np.maximum(ties, 1), 0.0)
        ranks = np.arange(1, int(last.max(initial=0)) + 1)
        summed = np.concatenate([[0.0], np.cumsum(self.gain(ranks))])
        values: Float64Array = (summed[last] - summed[first]) * share
        return values


class BeyondAccuracyMetric(Metric, Generic[CountsT]):
    """A metric of what is recommended at large, or of the index, from counts.

    Attributes:
        needs: the kind of counts that the value is computed from.
    """

    needs: ClassVar[type[Counts]]

    @abstractmethod
    def value(self, counts: CountsT) -> float | None:
        """The value; None where the counts leave it undefined."""

    def support(self, counts: CountsT) -> int:
        """How many things the value is a figure of: items, unless a metric says otherwise."""
        return counts.n_items


def per_user_values(
    metrics: Sequence[RankingMetric], better: Int64Array, ties: Int64Array
) -> Float64Array:
    """The values of several metrics, side by side: (..., metrics).

    Args:
        metrics: in the order of the last axis.
        better: (...) as in `RankingMetric.per_user`.
        ties: (...) as in `RankingMetric.per_user`.
    """
    values = [metric.per_user(better, ties) for metric in metrics]
    return np.stack(values, axis=-1) if values else np.empty((*better.shape, 0))
