"""The merge of neighbour lists into one ranking, compiled: what the evaluation measures is what a
lookup and a table of recommendations show.

score(j) = sum over the lists that hold j of weight * score of j in the list, summed in the order of
the lists, so that equal input gives equal bits. Items are integer keys; equal scores go by key.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llm_i2i_spark.kernels.arrays import Float64Array, Int32Array, Int64Array
from llm_i2i_spark.kernels.compiled import compiled
from llm_i2i_spark.kernels.top_k import allocate_top_k, select_top_k

KeyArray = NDArray[Any]
"""Item keys: int32 or int64."""


class WeightedLists(NamedTuple):
    """Neighbour lists as slices of flat arrays: list `l` is `start[l]:end[l]`.

    Attributes:
        start: (lists,) first entry of a list.
        end: (lists,) entry behind its last one.
        weight: (lists,) weight of a list: decay to the power of its steps back.
        neighbor: (entries,) item keys.
        score: (entries,) scores in the list.
        synthetic_share: (entries,) share of the score that synthetic interactions stand behind, NaN
            where it is not known; empty where nobody asks for it.
    """

    start: Int64Array
    end: Int64Array
    weight: Float64Array
    neighbor: KeyArray
    score: Float64Array
    synthetic_share: Float64Array


class Recommendations(NamedTuple):
    """The best items of each user, best first: user `u` has `indptr[u]:indptr[u + 1]`.

    Attributes:
        indptr: (users + 1,) offsets.
        key: item keys.
        score: merged scores.
        synthetic_share: share of the merged score that synthetic interactions stand behind; NaN
            where it is not known. Empty where the lists have no shares.
    """

    indptr: Int64Array
    key: KeyArray
    score: Float64Array
    synthetic_share: Float64Array


def step_weights(decay: float, steps: int) -> Float64Array:
    """The weights of a user's latest clicks, latest first: decay^0, decay^1, ...

    Each is the double nearest to the exact power, on every platform: the `pow` of a JVM and that of
    a C library differ in the last bit (0.8^8 is one such case).

    Args:
        decay: weight of a click relative to the next later one.
        steps: how many weights.
    """
    exact = Fraction(decay)
    return np.array([float(exact**step) for step in range(steps)], np.float64)


def recommend(
    lists: WeightedLists,
    list_indptr: Int64Array,
    owned: KeyArray,
    owned_indptr: Int64Array,
    k: int,
) -> Recommendations:
    """The best `k` items of every user, by merged score, then by key.

    Args:
        lists: the lists of all users, one user after the other; a user's in the order in which they
            are summed.
        list_indptr: (users + 1,) offsets into the lists.
        owned: item keys that are not recommended.
        owned_indptr: (users + 1,) offsets into `owned`.
        k: items a user at most.
    """
    entries = np.concatenate([np.zeros(1, np.int64), np.cumsum(lists.end - lists.start)])
    widths = np.diff(entries[list_indptr])
    widest = int(widths.max()) if len(widths) else 0
    room = int(np.minimum(widths, k).sum())
    found = Recommendations(
        np.zeros(len(list_indptr), np.int64),
        np.empty(room, lists.neighbor.dtype),
        np.empty(room, np.float64),
        np.empty(room if len(lists.synthetic_share) else 0, np.float64),
    )
    if room:  # a selection of nothing is not what `select_top_k` is made for
        _recommend(lists, list_indptr, owned, owned_indptr, widest, min(k, widest), found)
    last = found.indptr[-1]
    return Recommendations(
        found.indptr, found.key[:last], found.score[:last], found.synthetic_share[:last]
    )


@compiled
def _recommend(
    lists: WeightedLists,
    list_indptr: Int64Array,
    owned: KeyArray,
    owned_indptr: Int64Array,
    widest: int,
    k: int,
    found: Recommendations,
) -> None:
    table = np.full(table_size(widest), -1, np.int32)
    keys = np.empty(widest, lists.neighbor.dtype)
    sums = np.empty(widest, np.float64)
    with_shares = len(lists.synthetic_share) > 0
    synthetic = np.empty(widest if with_shares else 0, np.float64)
    best = allocate_top_k(k)
    written = 0
    for user in range(len(list_indptr) - 1):
        first, last = list_indptr[user], list_indptr[user + 1]
        size, mask = add_lists(lists, first, last, table, keys, sums, synthetic)
        remove_owned(owned, owned_indptr[user], owned_indptr[user + 1], table, keys, sums, mask)
        table[: mask + 1] = -1
        size = drop_owned(keys, sums, synthetic, size)
        for rank in range(select_top_k(sums, keys[:size], best)):
            item = best.positions[rank]
            found.key[written] = keys[item]
            found.score[written] = sums[item]
            if with_shares:
                found.synthetic_share[written] = (
                    synthetic[item] / sums[item] if sums[item] != 0 else 0.0
                )
            written += 1
        found.indptr[user + 1] = written


@compiled
def table_size(entries: int) -> int:
    """The power of two that keeps a hash table of so many entries at most half full."""
    size = 2
    while size < 2 * entries:
        size *= 2
    return size


@compiled
def add_lists(
    lists: WeightedLists,
    first: int,
    last: int,
    table: Int32Array,
    keys: KeyArray,
    sums: Float64Array,
    synthetic: Float64Array,
) -> tuple[int, int]:
    """Sum the lists `first:last` by item.

    Args:
        table: the hash table, all -1; afterwards the position of a key in `keys`.
        keys: room for the items met.
        sums: room for their scores.
        synthetic: room for the part of the score that synthetic interactions stand behind.

    Returns:
        (items met, mask of the part of the table that is in use).
    """
    entries = 0
    for row in range(first, last):
        entries += lists.end[row] - lists.start[row]
    mask = table_size(entries) - 1
    with_shares = len(lists.synthetic_share) > 0
    size = 0
    for row in range(first, last):
        for entry in range(lists.start[row], lists.end[row]):
            slot = find_slot(table, keys, lists.neighbor[entry], mask)
            item = table[slot]
            if item < 0:
                item = size
                table[slot] = item
                keys[item] = lists.neighbor[entry]
                sums[item] = 0.0
                if with_shares:
                    synthetic[item] = 0.0
                size += 1
            score = lists.weight[row] * lists.score[entry]
            sums[item] += score
            if with_shares:
                synthetic[item] += score * lists.synthetic_share[entry]
    return size, mask


@compiled
def remove_owned(
    owned: KeyArray,
    first: int,
    last: int,
    table: Int32Array,
    keys: KeyArray,
    sums: Float64Array,
    mask: int,
) -> None:
    """Mark the items `owned[first:last]` by the sum NaN."""
    for place in range(first, last):
        slot = find_slot(table, keys, owned[place], mask)
        if table[slot] >= 0:
            sums[table[slot]] = np.nan


@compiled
def find_slot(table: Int32Array, keys: KeyArray, key: int, mask: int) -> int:
    """The slot that holds a key, or the free slot where it belongs (open addressing, linear
    probing).
    """
    slot = (key ^ (key >> 29)) & mask
    while table[slot] >= 0 and keys[table[slot]] != key:
        slot = (slot + 1) & mask
    return slot


@compiled
def drop_owned(keys: KeyArray, sums: Float64Array, synthetic: Float64Array, size: int) -> int:
    """Move the items without the sum NaN to the front, in their order; how many there are."""
    kept = 0
    for item in range(size):
        if not np.isnan(sums[item]):
            keys[kept], sums[kept] = keys[item], sums[item]
            if len(synthetic):
                synthetic[kept] = synthetic[item]
            kept += 1
    return kept
