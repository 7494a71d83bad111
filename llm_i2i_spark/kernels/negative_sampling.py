"""Items drawn at random as negatives of a loss: such as a user does not have, or any."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from llm_i2i_spark.kernels.arrays import BoolArray, Float64Array, Int64Array


class NegativeSampler:
    """Draws items: for users such as they do not have, or any at all. A function of the
    interactions and the generator's state alone.

    Args:
        users: (n,) user of each interaction.
        items: (n,) its item; every item from 0 to `n_items` - 1 may be drawn.
        n_items: how many items there are.
        by_popularity: draw items in proportion to their interactions, instead of uniformly.
    """

    def __init__(
        self, users: Int64Array, items: Int64Array, n_items: int, by_popularity: bool = False
    ) -> None:
        self._items, self._n_items, self._by_popularity = items, n_items, by_popularity
        self._pairs = np.sort(users * n_items + items)

    def draw(self, users: Int64Array, random: np.random.Generator) -> Int64Array:
        """An item for each user that is none of the user's own.

        Args:
            users: who each lack an item at least; for one who lacks none, this never ends.
            random: where the random numbers come from.
        """
        drawn = self.draw_any(len(users), random)
        left = np.flatnonzero(self.has(users, drawn))
        while len(left):
            drawn[left] = self.draw_any(len(left), random)
            left = left[self.has(users[left], drawn[left])]
        return drawn

    def draw_any(self, number: int, random: np.random.Generator) -> Int64Array:
        """Items, with replacement, whoever has them.

        Args:
            number: how many.
            random: where the random numbers come from.
        """
        if self._by_popularity:
            return self._items[random.integers(0, len(self._items), number)]
        return random.integers(0, self._n_items, number)

    def probabilities(self, items: Int64Array) -> Float64Array:
        """How probable it is that `draw_any` draws each item, in one draw."""
        if not self._by_popularity:
            return np.full(len(items), 1.0 / self._n_items)
        found: Float64Array = self._shares[items]
        return found

    @cached_property
    def _shares(self) -> Float64Array:
        """Each item's share of the interactions."""
        return np.bincount(self._items, minlength=self._n_items) / len(self._items)

    def has(self, users: Int64Array, items: Int64Array) -> BoolArray:
        """Whether each user has the item beside it."""
        wanted = users * self._n_items + items
        places = np.searchsorted(self._pairs, wanted)
        found: BoolArray = self._pairs[np.minimum(places, len(self._pairs) - 1)] == wanted
        return found
