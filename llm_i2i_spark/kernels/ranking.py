"""The rank of a user's held-out item in the merge of their neighbour lists, compiled.

Item keys are any distinct int64 numbers. Users stand one after the other in flat arrays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llm_i2i_spark.kernels.arrays import Float64Array, Int32Array, Int64Array
from llm_i2i_spark.kernels.compiled import compiled
from llm_i2i_spark.kernels.list_merge import (
    WeightedLists,
    add_lists,
    drop_owned,
    find_slot,
    remove_owned,
    table_size,
)
from llm_i2i_spark.kernels.top_k import allocate_top_k, select_top_k


class UserQueries(NamedTuple):
    """Users with what they have clicked: user u has the lists list_indptr[u] to list_indptr[u + 1]
    of some `WeightedLists`.

    Attributes:
        target: (users,) item key of the held-out item.
        owned_indptr: (users + 1,) offsets into `owned`.
        owned: item keys that are never recommended to the user.
        list_indptr: (users + 1,) offsets into the lists, in the order in which their scores are
            added.
    """

    target: Int64Array
    owned_indptr: Int64Array
    owned: Int64Array
    list_indptr: Int64Array


class TargetRanks(NamedTuple):
    """The rank of each user's target, and the items that rank best.

    Attributes:
        better: (users,) items that score strictly higher than the target; -1 where no list holds
            it.
        ties: (users,) items with exactly its score, itself included; 0 where no list holds it.
        top_indptr: (users + 1,) offsets into `top`.
        top: item keys of each user's best items, best first, equal scores by key.
    """

    better: Int32Array
    ties: Int32Array
    top_indptr: Int64Array
    top: Int64Array


def rank_targets(users: UserQueries, lists: WeightedLists, top: int) -> TargetRanks:
    """Rank every user's target among all items of their lists: score(j) = sum over lists of weight
    * score in the list.

    Sums run in the order of the lists, so that equal input gives equal bits.

    Args:
        users: the users, flat.
        lists: those of all users, one user after the other; they may share entries.
        top: how many of each user's best items to return.
    """
    n_users = len(users.target)
    entries = np.concatenate([np.zeros(1, np.int64), np.cumsum(lists.end - lists.start)])
    widths = np.diff(entries[users.list_indptr])
    widest = int(widths.max(initial=0))
    better, ties = np.empty(n_users, np.int32), np.empty(n_users, np.int32)
    top_indptr = np.zeros(n_users + 1, np.int64)
    best = np.empty(int(np.minimum(widths, top).sum()), np.int64)
    _rank_users(users, lists, widest, top, better, ties, top_indptr, best)
    return TargetRanks(better, ties, top_indptr, best[: top_indptr[-1]])


@compiled
def _rank_users(
    users: UserQueries,
    lists: WeightedLists,
    widest: int,
    top: int,
    better: Int32Array,
    ties: Int32Array,
    top_indptr: Int64Array,
    best: Int64Array,
) -> None:
    table = np.full(table_size(widest), -1, np.int32)
    keys, sums = np.empty(widest, np.int64), np.empty(widest, np.float64)
    best_of_user, no_shares = allocate_top_k(top), np.empty(0, np.float64)
    written = 0
    for user in range(len(users.target)):
        first, last = users.list_indptr[user], users.list_indptr[user + 1]
        size, mask = add_lists(lists, first, last, table, keys, sums, no_shares)
        first, last = users.owned_indptr[user], users.owned_indptr[user + 1]
        remove_owned(users.owned, first, last, table, keys, sums, mask)
        target = table[find_slot(table, keys, users.target[user], mask)]
        table[: mask + 1] = -1
        better[user], ties[user] = _rank_of(sums, size, target)
        size = drop_owned(keys, sums, no_shares, size)
        for rank in range(select_top_k(sums, keys[:size], best_of_user)):
            best[written] = keys[best_of_user.positions[rank]]
            written += 1
        top_indptr[user + 1] = written


@compiled
def _rank_of(sums: Float64Array, size: int, target: int) -> tuple[int, int]:
    """How many items score above the target, and how many as high; owned items have NaN."""
    if target < 0 or np.isnan(sums[target]):
        return -1, 0
    above, equal = 0, 0
    for position in range(size):
        if sums[position] > sums[target]:
            above += 1
        elif sums[position] == sums[target]:
            equal += 1
    return above, equal
