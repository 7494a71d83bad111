"""The counts that beyond-accuracy metrics are computed from, each by classes of like items.

Classes keep them small: a catalogue of millions of items has a few thousand different counts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from llm_i2i_spark.kernels.arrays import Int64Array


class Counts(ABC):
    """Counts over a set of items."""

    @property
    @abstractmethod
    def n_items(self) -> int:
        """How many items were counted."""


@dataclass(frozen=True)
class ExposureCounts(Counts):
    """How often items are among the first k recommendations of all users.

    Attributes:
        times: (classes,) how often an item of the class is recommended; distinct, 0 included.
        items: (classes,) catalogue items of the class.
    """

    times: Int64Array
    items: Int64Array

    @property
    def n_items(self) -> int:
        """Items of the catalogue."""
        return int(self.items.sum())


@dataclass(frozen=True)
class PopularityCounts(Counts):
    """How popular the first k recommendations of all users are.

    Attributes:
        seen: (classes,) interactions with an item of the class that the models have seen; distinct.
        items: (classes,) catalogue items of the class.
        recommended: (classes,) recommendations that fall on items of the class.
    """

    seen: Int64Array
    items: Int64Array
    recommended: Int64Array

    @property
    def n_items(self) -> int:
        """Items of the catalogue."""
        return int(self.items.sum())


@dataclass(frozen=True)
class IndexCounts(Counts):
    """How full an index is.

    Attributes:
        items: items that could have a neighbour list.
        filled: of them, those with a neighbour.
        neighbors: neighbours of all of them together.
        known_neighbors: of these, the ones whose share of synthetic evidence is known.
        synthetic: sum of the known shares, each from 0 to 1.
    """

    items: int
    filled: int
    neighbors: int
    known_neighbors: int
    synthetic: float

    @property
    def n_items(self) -> int:
        """Items that could have a neighbour list."""
        return self.items
