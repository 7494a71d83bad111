"""What a user's rank is worth: Recall, NDCG and reciprocal rank, ties counted at their expected
value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llm_i2i_spark.kernels.ranking import Floats, Ints

SLICES = (
    "all",
    "long_tail",
    "long_tail_train",
    "head",
    "new",
    "seen_1_4",
    "seen_5_9",
    "seen_10_19",
    "seen_20_49",
    "seen_50_up",
)
"""Kinds of target items. `seen_*` and `new` split them by how often the models have seen them."""

BUCKETS = ("new", "seen_1_4", "seen_5_9", "seen_10_19", "seen_20_49", "seen_50_up")
"""The popularity buckets in order, as `transform.POPULARITY_EDGES` cuts them."""


@dataclass(frozen=True)
class Outcomes:
    """Groups of users with equal outcomes in every series.

    Attributes:
        better: (groups, series) items ranked strictly above the target; -1 for a miss.
        ties: (groups, series) items with the target's score, itself included.
        users: (groups,) how many users share the outcome.
        member: (groups, slices) whether the group's targets belong to each of `SLICES`.
    """

    better: Ints
    ties: Ints
    users: Ints
    member: NDArray[np.bool_]


def slice_members(
    bucket: Ints, long_tail: NDArray[np.bool_], long_tail_train: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which of `SLICES` items belong to: (items, slices).

    Args:
        bucket: (items,) place in `BUCKETS`.
        long_tail: (items,) in the bottom share by count in the whole data set.
        long_tail_train: (items,) in the bottom share by count in the training fold.
    """
    parts = [np.ones(len(bucket), bool), long_tail, long_tail_train, ~long_tail]
    parts += [bucket == place for place in range(len(BUCKETS))]
    return np.stack(parts, axis=1).astype(bool)


def metric_names(ks: Sequence[int]) -> list[tuple[str, int]]:
    """The (name, k) of each column of `metric_values`; k = 0 where the whole ranking counts."""
    return [("recall", k) for k in ks] + [("ndcg", k) for k in ks] + [("mrr", 0)]


def metric_values(better: Ints, ties: Ints, ks: Sequence[int]) -> Floats:
    """Recall@k, NDCG@k and the reciprocal rank of one relevant item: (..., metrics), in the order
    of `metric_names`.

    An item that shares its score with others stands at each place of the tie with equal chance, so
    each value is the mean over the places b+1 .. b+t: recall = |{places <= k}| / t, NDCG = sum over
    places <= k of 1/log2(place+1) / t (Jarvelin and Kekalainen 2002, with one relevant item the
    ideal gain is 1), reciprocal rank = sum of 1/place / t.

    Args:
        better: (...) b, items above; -1 for a miss, which is worth 0.
        ties: (...) t, items of equal score, the item itself included.
        ks: lengths of the lists.
    """
    listed = better >= 0
    first = np.where(listed, better, 0)
    last = np.where(listed, better + ties, 0)
    share = np.where(listed, 1.0 / np.maximum(ties, 1), 0.0)
    places = np.arange(1, int(last.max(initial=0)) + 1)
    gains = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(places + 1))])
    inverse = np.concatenate([[0.0], np.cumsum(1.0 / places)])
    recall = [(np.minimum(last, k) - np.minimum(first, k)) * share for k in ks]
    ndcg = [(gains[np.minimum(last, k)] - gains[np.minimum(first, k)]) * share for k in ks]
    return np.stack([*recall, *ndcg, (inverse[last] - inverse[first]) * share], axis=-1)
