"""What a model of the next item learns from: interactions, each with what its user had before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llm_i2i_spark.backbones.embedding.interaction_matrix import InteractionMatrix
from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.kernels.arrays import Int64Array


@dataclass(frozen=True)
class NextItemExamples:
    """Interactions to predict, each with the history that it is predicted from.

    Attributes:
        clicks: (clicks,) numbers of the interactions that have a position, by user and position.
        targets: (n,) number of the interaction that each example is to predict.
        starts: (n,) where its history begins in `clicks`.
        ends: (n,) where it ends, exclusive; above `starts`.
    """

    clicks: Int64Array
    targets: Int64Array
    starts: Int64Array
    ends: Int64Array

    def histories(self, chosen: Int64Array) -> tuple[Int64Array, Int64Array]:
        """The histories of some examples, one after the other.

        Args:
            chosen: (m,) numbers of examples.

        Returns:
            For each entry the place of its example in `chosen`; the number of its interaction.
        """
        lengths = self.ends[chosen] - self.starts[chosen]
        before = np.cumsum(lengths) - lengths
        places = np.repeat(np.arange(len(chosen)), lengths)
        within = np.arange(len(places)) - before[places]
        return places, self.clicks[self.starts[chosen][places] + within]

    def named(self) -> Int64Array:
        """The interactions that some example predicts or reads, ascending."""
        read = np.zeros(len(self.clicks) + 1, np.int64)
        np.add.at(read, self.starts, 1)
        np.add.at(read, self.ends, -1)
        return np.union1d(self.targets, self.clicks[np.cumsum(read)[:-1] > 0])


def next_item_examples(interactions: InteractionMatrix, history: int) -> NextItemExamples:
    """An example for every interaction that has one with a position before it.

    One without a position, which a model proposed to follow what the user has, comes after all of
    the user's positions, and before nothing: it is no history of any other.

    Args:
        interactions: with positions; equal ones go by item.
        history: at most so many are read, the last ones.

    Raises:
        InputDataError: the order was not read.
    """
    if interactions.positions is None:
        raise InputDataError("A model of the next item needs the positions of the interactions.")
    users, positions = interactions.users, interactions.positions
    clicks = np.flatnonzero(positions >= 0)
    by_time = np.lexsort((interactions.items[clicks], positions[clicks], users[clicks]))
    clicks = clicks[by_time]
    proposed = np.flatnonzero(positions < 0)
    first, end = (
        np.searchsorted(users[clicks], np.arange(interactions.n_users), side)
        for side in ("left", "right")
    )
    targets = np.concatenate((clicks, proposed))
    ends = np.concatenate((np.arange(len(clicks)), end[users[proposed]]))
    starts = np.maximum(first[users[targets]], ends - history)
    kept = ends > starts
    return NextItemExamples(clicks, targets[kept], starts[kept], ends[kept])
