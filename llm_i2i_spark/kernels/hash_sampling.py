"""Hash sampling: which users an item's row sums over and which items of a user are kept, where a
cap allows fewer than there are.

Every (user, item) pair has a pseudo-random 64-bit hash; a cap keeps the k pairs with the lowest
hashes (bottom-k sampling; Cohen and Kaplan, PODC 2007). The sample is uniform, and the same for any
partitioning, retry or order of rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from llm_i2i_spark.kernels import edge_format
from llm_i2i_spark.kernels.arrays import (
    Int32Array,
    Int64Array,
    UInt32Array,
    UInt64Array,
)
from llm_i2i_spark.kernels.compiled import compiled
from llm_i2i_spark.kernels.csr import (
    ITEM_SHIFT,
    ItemBlock,
    ItemCsr,
    UserCsr,
    argsort,
    transpose_block,
    user_order,
)
from llm_i2i_spark.kernels.edge_format import CAPPED

NO_THRESHOLD = np.uint64(edge_format.NO_THRESHOLD)
MARGIN = 10.0
"""Standard deviations above its mean that a random count is expected to stay under."""


@compiled
def sampling_hash(user_key: int, item_hash: int) -> Any:
    """Hash of a (user, item) pair, a uint64: both 32-bit hashes, mixed by the finalizer of
    SplitMix64 (Steele et al., OOPSLA 2014).
    """
    x = (np.uint64(user_key) << np.uint64(32)) ^ (np.uint64(item_hash) & np.uint64(0xFFFFFFFF))
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@compiled
def sampling_hashes(user_keys: Int32Array, item_hashes: Int32Array) -> UInt64Array:
    """`sampling_hash` of each pair of a user's key and an item's hash."""
    hashes = np.empty(len(user_keys), np.uint64)
    for position in range(len(user_keys)):
        hashes[position] = sampling_hash(user_keys[position], item_hashes[position])
    return hashes


def entry_hashes(csr: UserCsr, item_hashes: Int32Array) -> UInt64Array:
    """(entries,) the sampling hash of every entry.

    Args:
        csr: the users.
        item_hashes: (items,) 32-bit hash of item id and seed.
    """
    hashes: UInt64Array = sampling_hashes(
        np.repeat(csr.keys, np.diff(csr.indptr)), item_hashes[csr.indices >> ITEM_SHIFT]
    )
    return hashes


@compiled
def bottom_k(hashes: UInt64Array, k: int) -> Int64Array:
    """The positions of the k lowest hashes, ascending by position."""
    chosen = np.zeros(len(hashes), np.bool_)
    chosen[argsort(hashes)[:k]] = True
    return np.nonzero(chosen)[0]


@compiled
def users_of_block(csr: UserCsr, block: ItemBlock) -> ItemCsr:
    """The users that each row of the block sums over, in the order in which their terms are added.

    Args:
        csr: all users who have an item of the block.
        block: whose items are wanted, and the cap.
    """
    return sample_users(csr, transpose_block(csr, user_order(csr), block), block)


@compiled
def sample_users(csr: UserCsr, items: ItemCsr, block: ItemBlock) -> ItemCsr:
    """Of every item with more users than the cap, the users with the lowest sampling hashes, in
    their order. The arrays of `items` are overwritten.
    """
    indptr = np.zeros_like(items.indptr)
    kept = 0
    for t in range(len(items.items)):
        begin, end = items.indptr[t], items.indptr[t + 1]
        if end - begin <= block.max_users_per_item:
            for position in range(begin, end):
                items.indices[kept] = items.indices[position]
                items.entries[kept] = items.entries[position]
                kept += 1
        else:
            hashes = np.empty(end - begin, np.uint64)
            for position in range(begin, end):
                hashes[position - begin] = sampling_hash(
                    csr.keys[items.indices[position]], block.item_hashes[items.items[t]]
                )
            for offset in bottom_k(hashes, block.max_users_per_item):
                items.indices[kept] = items.indices[begin + offset]
                items.entries[kept] = items.entries[begin + offset]
                kept += 1
        indptr[t + 1] = kept
    return ItemCsr(items.items, indptr, items.indices[:kept], items.entries[:kept])


def sampling_thresholds(n_users: Int64Array, max_users: int | None) -> UInt64Array:
    """Thresholds that the lowest `max_users` hashes of each item stay under, all but surely: rows
    of users above them need not be sent to the item's block.

    Args:
        n_users: (items,) users of each item.
        max_users: users that a row sums over; None for all.

    Returns:
        (items,) uint64, a user may be kept if hash(user, item) is at most this; NO_THRESHOLD for
        items within the cap. Empty where no item has more users than the cap.
    """
    if max_users is None or n_users.max(initial=0) <= max_users:
        return np.empty(0, np.uint64)
    share = (max_users + MARGIN * max_users**0.5) / np.maximum(n_users, 1)
    thresholds: UInt64Array = (np.where(share < 0.99, share, 0.0) * 2.0**64).astype(
        np.uint64
    ) - np.uint64(1)
    return thresholds


@compiled
def mark_capped(csr: UserCsr, item_hashes: Int32Array, thresholds: UInt64Array) -> UInt32Array:
    """The edges, with the bit CAPPED where the sampling hash is above the item's threshold.

    Args:
        csr: the users.
        item_hashes: (items,) 32-bit hash of item id and seed.
        thresholds: (items,) from `sampling_thresholds`.
    """
    edges: UInt32Array = csr.indices.copy()
    for user in range(len(csr.keys)):
        for entry in range(csr.indptr[user], csr.indptr[user + 1]):
            item = edges[entry] >> ITEM_SHIFT
            if (
                thresholds[item] != NO_THRESHOLD
                and sampling_hash(csr.keys[user], item_hashes[item]) > thresholds[item]
            ):
                edges[entry] |= CAPPED
    return edges
