"""The items that a combiner is trained to tell a held-out click from: the best of the lookup, and a
sample of all the others that it holds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llm_i2i_spark.kernels.arrays import Float64Array, Int32Array, Int64Array
from llm_i2i_spark.kernels.hash_sampling import sampling_hashes


class Candidates(NamedTuple):
    """The candidates of one example.

    Attributes:
        items: (n,) item indices, the held-out one first; empty where the lookup does not hold it.
        weight: (n,) how many items a candidate stands for: 1, and for a sampled one the number of
            those that it was sampled from over that of the sample.
    """

    items: Int32Array
    weight: Float64Array


def choose_candidates(
    target: int,
    owned: Int32Array,
    weights: Float64Array,
    indptr: Int64Array,
    neighbors: Int32Array,
    scores: Float64Array,
    best: int,
    sampled: int,
    user_key: int,
) -> Candidates:
    """The candidates of a user, from the merged lists of the user's recent items.

    The best candidates alone would teach that what ranks high is wrong, so that all else rises;
    weighing a sample of the rest keeps the softmax over all that the lookup holds unbiased.

    Args:
        target: item index of the held-out click.
        owned: item indices that are never recommended to the user.
        weights: (lists,) of the lists by the age of their item.
        indptr: (lists + 1,) offsets into the next two.
        neighbors: (entries,) item indices.
        scores: (entries,) of each neighbour.
        best: how many of the items with the highest merged score.
        sampled: how many of the others at most, by a hash.
        user_key: 32-bit hash of the user's id and the seed.
    """
    lengths = np.diff(indptr)
    items, slot = np.unique(neighbors[indptr[0] : indptr[-1]], return_inverse=True)
    parts = np.repeat(weights, lengths) * scores[indptr[0] : indptr[-1]]
    merged = np.bincount(slot, parts, minlength=len(items))
    allowed = ~np.isin(items, owned)
    items, merged = items[allowed], merged[allowed]
    others = items != target
    if others.all():
        return Candidates(np.empty(0, np.int32), np.empty(0))
    items, merged = items[others], merged[others]
    order = np.argsort(-merged, kind="stable")
    rest = np.sort(items[order[best:]]).astype(np.int32)
    hashes = sampling_hashes(np.full(len(rest), user_key, np.int32), rest)
    chosen = rest[np.argsort(hashes, kind="stable")[:sampled]]
    stands_for = len(rest) / len(chosen) if len(chosen) else 1.0
    found = np.concatenate([[target], items[order[:best]], chosen]).astype(np.int32)
    weight = np.ones(len(found))
    weight[len(found) - len(chosen) :] = stands_for
    return Candidates(found, weight)
