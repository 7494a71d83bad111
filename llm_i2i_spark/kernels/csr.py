"""The click matrix in compressed sparse row form: users in rows, and for one block of items
transposed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llm_i2i_spark.kernels import edge_format
from llm_i2i_spark.kernels.arrays import (
    Float64Array,
    Int32Array,
    Int64Array,
    UInt16Array,
    UInt32Array,
    UInt64Array,
)
from llm_i2i_spark.kernels.compiled import compiled
from llm_i2i_spark.kernels.edge_format import CAPPED, WEIGHTED

# Unsigned, as is all that the inner loops index by: numba would check a signed index for being
# negative.
ITEM_SHIFT = np.uint32(edge_format.ITEM_SHIFT)
ONE = np.uint64(1)
NO_BLOCK = np.uint16(edge_format.NO_BLOCK)


class UserCsr(NamedTuple):
    """Rows are users: user u owns entries indptr[u] to indptr[u + 1].

    Attributes:
        keys: (users,) 32-bit hash of the user's id; orders the users in every sum.
        indptr: (users + 1,) offsets into `indices`.
        indices: (entries,) edges: item index << ITEM_SHIFT with the bits SYNTHETIC, CAPPED and
            WEIGHTED. By item index within a row, or by the order of the clicks for backbones that
            need it.
        data: (weighted entries,) weights of the edges with the bit WEIGHTED in the order of
            `indices`; every other edge weighs 1.
    """

    keys: Int32Array
    indptr: Int64Array
    indices: UInt32Array
    data: Float64Array


class ItemCsr(NamedTuple):
    """The transposed matrix of one block: row t is item items[t].

    Attributes:
        items: (rows,) item indices, ascending.
        indptr: (rows + 1,) offsets into `indices`.
        indices: (entries,) rows of the `UserCsr`, in the order of `user_order` within a row.
        entries: (entries,) position of the same entry in `UserCsr.indices`.
    """

    items: UInt32Array
    indptr: Int64Array
    indices: UInt32Array
    entries: Int64Array


class ItemBlock(NamedTuple):
    """What a kernel call computes: the rows of one block of items.

    Attributes:
        block_of_item: (items,) block of each item, NO_BLOCK where its row is not computed.
        block: the block whose rows are computed.
        item_hashes: (items,) 32-bit hash of item id and seed, for hash sampling.
        max_users_per_item: users that a row sums over, NO_CAP for all of them.
    """

    block_of_item: UInt16Array
    block: int
    item_hashes: Int32Array
    max_users_per_item: int


@compiled
def argsort(keys: UInt64Array) -> Int64Array:
    """Positions in ascending order of the keys, stable. All kernels sort by this function, so that
    one sort is compiled.
    """
    return np.argsort(keys, kind="mergesort")


@compiled
def user_order(csr: UserCsr) -> UInt32Array:
    """The order in which users' terms are summed: by key, then by entries and weights.

    It depends on the content of the rows alone, not on how they arrived. Users who are equal in all
    of it are interchangeable.
    """
    order = argsort((csr.keys.astype(np.int64) + 2**31).astype(np.uint64)).astype(np.uint32)
    begin = 0
    for end in range(1, len(order) + 1):
        if end == len(order) or csr.keys[order[end]] != csr.keys[order[begin]]:
            if end - begin > 1:
                _sort_equal_keys(csr, order[begin:end])
            begin = end
    return order


@compiled
def _sort_equal_keys(csr: UserCsr, order: UInt32Array) -> None:
    """Insertion sort in place: two users in four billion share a key by chance."""
    for position in range(1, len(order)):
        user = order[position]
        free = position
        while free > 0 and _comes_first(csr, user, order[free - 1]):
            order[free] = order[free - 1]
            free -= 1
        order[free] = user


@compiled
def _comes_first(csr: UserCsr, left: int, right: int) -> bool:
    n_left, n_right = (
        csr.indptr[left + 1] - csr.indptr[left],
        csr.indptr[right + 1] - csr.indptr[right],
    )
    for offset in range(min(n_left, n_right)):
        a, b = csr.indices[csr.indptr[left] + offset], csr.indices[csr.indptr[right] + offset]
        if a != b:
            return bool(a < b)
    if n_left != n_right:
        return bool(n_left < n_right)
    data_left, data_right = _data_start(csr, left), _data_start(csr, right)
    for offset in range(_count_weighted(csr, left)):
        w, v = csr.data[data_left + offset], csr.data[data_right + offset]
        if w != v:
            return bool(w < v)
    return False


@compiled
def _count_weighted(csr: UserCsr, user: int) -> int:
    count = 0
    for entry in range(csr.indptr[user], csr.indptr[user + 1]):
        count += (csr.indices[entry] & WEIGHTED) != 0
    return count


@compiled
def _data_start(csr: UserCsr, user: int) -> int:
    count = 0
    for entry in range(csr.indptr[user]):
        count += (csr.indices[entry] & WEIGHTED) != 0
    return count


@compiled
def entry_weights(csr: UserCsr) -> Float64Array:
    """(entries,) weight of every edge; empty where all of them weigh 1."""
    if len(csr.data) == 0:
        return csr.data
    weights = np.ones(len(csr.indices))
    position = 0
    for entry in range(len(csr.indices)):
        if csr.indices[entry] & WEIGHTED:
            weights[entry] = csr.data[position]
            position += 1
    return weights


@compiled
def row_totals(csr: UserCsr, weights: Float64Array) -> Float64Array:
    """(users,) sum of each user's edge weights, added in the order of the row.

    Args:
        csr: the users.
        weights: of all entries, from `entry_weights`.
    """
    totals = np.empty(len(csr.indptr) - 1)
    for user in range(len(totals)):
        if len(weights) == 0:
            totals[user] = float(csr.indptr[user + 1] - csr.indptr[user])
        else:
            total = 0.0
            for entry in range(csr.indptr[user], csr.indptr[user + 1]):
                total += weights[entry]
            totals[user] = total
    return totals


@compiled
def transpose_block(csr: UserCsr, order: UInt32Array, block: ItemBlock) -> ItemCsr:
    """The users of each item of the block, without entries that carry the bit CAPPED.

    Args:
        csr: all users who have an item of the block.
        order: of the users, from `user_order`.
        block: whose items are wanted.
    """
    block_of_item = block.block_of_item
    row_of_item = np.zeros(len(block_of_item), np.int32)
    for edge in csr.indices:
        if not edge & CAPPED and block_of_item[edge >> ITEM_SHIFT] == block.block:
            row_of_item[edge >> ITEM_SHIFT] += 1
    items = np.nonzero(row_of_item)[0].astype(np.uint32)
    indptr = np.zeros(len(items) + 1, np.int64)
    for t in range(len(items)):
        indptr[t + 1] = indptr[t] + row_of_item[items[t]]
        row_of_item[items[t]] = t
    indices = np.empty(indptr[-1], np.uint32)
    entries = np.empty(indptr[-1], np.int64)
    free = indptr[:-1].copy()
    for user in order:
        for entry in range(csr.indptr[user], csr.indptr[user + 1]):
            edge = csr.indices[entry]
            if not edge & CAPPED and block_of_item[edge >> ITEM_SHIFT] == block.block:
                t = row_of_item[edge >> ITEM_SHIFT]
                indices[free[t]], entries[free[t]] = user, entry
                free[t] += 1
    return ItemCsr(items, indptr, indices, entries)
