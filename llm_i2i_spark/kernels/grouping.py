"""From interactions of some users to their rows of the click matrix: sorted, each item once, long
rows sampled.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llm_i2i_spark.kernels.arrays import (
    BoolArray,
    Float64Array,
    Int32Array,
    Int64Array,
    UInt32Array,
    read_only,
    run_starts,
)
from llm_i2i_spark.kernels.csr import UserCsr
from llm_i2i_spark.kernels.edge_format import ITEM_SHIFT, WEIGHTED
from llm_i2i_spark.kernels.hash_sampling import sampling_hashes

USER_SHIFT = np.uint64(32)


class Interactions(NamedTuple):
    """Interactions in any order.

    Attributes:
        users: (n,) indices into the users' keys.
        edges: (n,) with the bits SYNTHETIC and WEIGHTED.
        weights: (n,), or empty where no edge has the bit WEIGHTED.
        positions: (n,) position in the user's sequence, or empty where rows are wanted by item
            index.
    """

    users: UInt32Array
    edges: UInt32Array
    weights: Float64Array
    positions: Int32Array

    def take(self, chosen: Int64Array | BoolArray) -> Interactions:
        """Some of them, in the order asked for."""
        weights = self.weights[chosen] if len(self.weights) else self.weights
        positions = self.positions[chosen] if len(self.positions) else self.positions
        return Interactions(self.users[chosen], self.edges[chosen], weights, positions)


def group_by_user(
    rows: Interactions, keys: Int32Array, item_hashes: Int32Array, max_items_per_user: int
) -> UserCsr:
    """The rows of the click matrix of some users, each (user, item) once: the real interaction
    before a synthetic one, then the heavier, the earlier.

    Args:
        rows: of whole users; one at least.
        keys: (users,) hash of the user's id.
        item_hashes: (items,) 32-bit hash of item id and seed.
        max_items_per_user: entries kept of a longer row, those with the lowest sampling hashes.

    Returns:
        Users with two entries or more.
    """
    rows = _deduplicate(rows)
    lengths = np.bincount(rows.users, minlength=len(keys))
    if lengths.max(initial=0) > max_items_per_user:
        rows = _sample_items(rows, lengths, keys, item_hashes, max_items_per_user)
        lengths = np.minimum(lengths, max_items_per_user)
    if (lengths == 1).any():
        rows = rows.take(lengths[rows.users] > 1)
        lengths[lengths == 1] = 0
    if len(rows.positions):
        rows = rows.take(np.lexsort((rows.edges, rows.positions, rows.users)))
    weights = rows.weights[_is_weighted(rows)] if len(rows.weights) else rows.weights
    kept = lengths > 0
    indptr = np.append(0, np.cumsum(lengths[kept], dtype=np.int64))
    return UserCsr(*map(read_only, (keys[kept], indptr, rows.edges, weights)))


def _deduplicate(rows: Interactions) -> Interactions:
    """Sort by user and edge; of the rows of one edge keep the greatest weight and the least
    position, of those of one item the first.
    """
    sorted_by = rows.users.astype(np.uint64) << USER_SHIFT | rows.edges
    if len(rows.weights) or len(rows.positions):
        order = np.argsort(sorted_by)
        sorted_by, rows = sorted_by[order], rows.take(order)
    else:
        sorted_by.sort()
    starts = np.flatnonzero(run_starts(sorted_by))
    weights, positions = rows.weights, rows.positions
    if len(starts) < len(sorted_by):
        weights = np.maximum.reduceat(weights, starts) if len(weights) else weights
        positions = np.minimum.reduceat(positions, starts) if len(positions) else positions
        sorted_by = sorted_by[starts]
    unique = Interactions(
        (sorted_by >> USER_SHIFT).astype(np.uint32), sorted_by.astype(np.uint32), weights, positions
    )
    first = run_starts(sorted_by >> np.uint64(ITEM_SHIFT))
    return unique if first.all() else unique.take(first)


def _sample_items(
    rows: Interactions, lengths: Int64Array, keys: Int32Array, item_hashes: Int32Array, most: int
) -> Interactions:
    """Of users with more items than `most` keep the rows with the lowest sampling hashes, in their
    order.
    """
    long = np.flatnonzero(lengths[rows.users] > most)
    users = rows.users[long]
    hashes = sampling_hashes(keys[users], item_hashes[rows.edges[long] >> ITEM_SHIFT])
    order = np.lexsort((hashes, users))
    starts = np.flatnonzero(run_starts(users))
    rank = np.arange(len(long)) - np.repeat(starts, np.diff(starts, append=len(long)))
    kept = np.ones(len(rows.users), np.bool_)
    kept[long[order[rank >= most]]] = False
    return rows.take(kept)


def _is_weighted(rows: Interactions) -> BoolArray:
    return (rows.edges & WEIGHTED).astype(np.bool_)
