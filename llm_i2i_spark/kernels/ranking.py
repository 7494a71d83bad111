"""Where the held-out item of a user stands in the merge of their neighbour lists, compiled.

It knows integers only: item keys are any distinct int64 numbers. Users are laid out one after the
other in flat arrays.
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


class UserNeighborLists(NamedTuple):
    """Users with their neighbour lists, flat: user `u` has the lists
    `list_start[u]:list_start[u+1]`, and so on inwards.

    Attributes:
        target: (users,) item key of the held-out item.
        owned_start: (users + 1,) offsets into `owned`, the item keys that are never recommended to
            the user.
        list_start: (users + 1,) offsets into the lists, in the order in which their scores are
            added.
        weight: (lists,) weight of a list: decay to the power of its steps back.
        entry_start: (lists + 1,) offsets into `neighbor` (item keys) and `score`.
    """

    target: Int64Array
    owned_start: Int64Array
    owned: Int64Array
    list_start: Int64Array
    weight: Float64Array
    entry_start: Int64Array
    neighbor: Int64Array
    score: Float64Array


class Ranks(NamedTuple):
    """Where each user's target stands, and what stands on top.

    Attributes:
        better: (users,) items that score strictly higher than the target; -1 where no list holds
            it.
        ties: (users,) items with exactly its score, itself included; 0 where no list holds it.
        top_start: (users + 1,) offsets into `top`.
        top: item keys of each user's best items, best first, equal scores by key.
    """

    better: Int32Array
    ties: Int32Array
    top_start: Int64Array
    top: Int64Array


def rank_targets(users: UserNeighborLists, top: int) -> Ranks:
    """Rank every user's target among all items of their lists: score(j) = sum over lists of weight
    * score in the list.

    Sums run in the order of the lists, so that equal input gives equal bits.

    Args:
        users: the users, flat.
        top: how many of each user's best items to give back.
    """
    n_users = len(users.target)
    entries = users.entry_start[users.list_start]
    widest = int(np.diff(entries).max()) if n_users else 0
    better, ties = np.empty(n_users, np.int32), np.empty(n_users, np.int32)
    top_start, best = (
        np.zeros(n_users + 1, np.int64),
        np.empty(n_users * min(top, widest), np.int64),
    )
    lists = WeightedLists(
        users.entry_start[:-1],
        users.entry_start[1:],
        users.weight,
        users.neighbor,
        users.score,
        np.empty(0),
    )
    _rank_users(users, lists, widest, top, better, ties, top_start, best)
    return Ranks(better, ties, top_start, best[: top_start[-1]])


@compiled
def _rank_users(
    users: UserNeighborLists,
    lists: WeightedLists,
    widest: int,
    top: int,
    better: Int32Array,
    ties: Int32Array,
    top_start: Int64Array,
    best: Int64Array,
) -> None:
    table = np.full(table_size(widest), -1, np.int32)
    keys, sums = np.empty(widest, np.int64), np.empty(widest, np.float64)
    best_of_user, no_shares = allocate_top_k(top), np.empty(0, np.float64)
    written = 0
    for user in range(len(users.target)):
        first, last = users.list_start[user], users.list_start[user + 1]
        size, mask = add_lists(lists, first, last, table, keys, sums, no_shares)
        first, last = users.owned_start[user], users.owned_start[user + 1]
        remove_owned(users.owned, first, last, table, keys, sums, mask)
        aim = table[find_slot(table, keys, users.target[user], mask)]
        table[: mask + 1] = -1
        better[user], ties[user] = _standing(sums, size, aim)
        size = drop_owned(keys, sums, no_shares, size)
        for rank in range(select_top_k(sums, keys[:size], best_of_user)):
            best[written] = keys[best_of_user.positions[rank]]
            written += 1
        top_start[user + 1] = written


@compiled
def _standing(sums: Float64Array, size: int, aim: int) -> tuple[int, int]:
    """How many live items score above the target, and how many as high; owned items are marked by
    NaN.
    """
    if aim < 0 or np.isnan(sums[aim]):
        return -1, 0
    above, equal = 0, 0
    for place in range(size):
        if sums[place] > sums[aim]:
            above += 1
        elif sums[place] == sums[aim]:
            equal += 1
    return above, equal
