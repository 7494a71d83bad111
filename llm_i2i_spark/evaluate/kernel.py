"""The compiled core: merge a user's neighbour lists, remove what they own, and find where the target stands.

It knows integers only: item keys are any distinct int64 numbers. Users are laid out one after the other in flat arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class UserLists:
    """Users with their neighbour lists, flat: user `u` has the lists `list_start[u]:list_start[u+1]`, and so on inwards.

    Attributes:
        target: (users,) item key of the held-out item.
        owned_start: (users + 1,) offsets into `owned`, the item keys that are never recommended to the user.
        list_start: (users + 1,) offsets into the lists, in the order in which their scores are added.
        weight: (lists,) weight of a list: decay to the power of its steps back.
        entry_start: (lists + 1,) offsets into `neighbor` (item keys) and `score`.
    """

    target: Ints
    owned_start: Ints
    owned: Ints
    list_start: Ints
    weight: Floats
    entry_start: Ints
    neighbor: Ints
    score: Floats


@dataclass(frozen=True)
class Ranks:
    """Where each user's target stands, and what stands on top.

    Attributes:
        better: (users,) items that score strictly higher than the target; -1 where no list holds it.
        ties: (users,) items with exactly its score, itself included; 0 where no list holds it.
        top_start: (users + 1,) offsets into `top`.
        top: item keys of each user's best items, best first, equal scores by key.
    """

    better: NDArray[np.int32]
    ties: NDArray[np.int32]
    top_start: Ints
    top: Ints


def rank_targets(users: UserLists, top: int) -> Ranks:
    """Rank every user's target among all items of their lists: score(j) = sum over lists of weight * score in the list.

    Sums run in the order of the lists, so that equal input gives equal bits.

    Args:
        users: the users, flat.
        top: how many of each user's best items to give back.
    """
    n_users = len(users.target)
    entries = users.entry_start[users.list_start]
    widest = int(np.diff(entries).max()) if n_users else 0
    better, ties = np.empty(n_users, np.int32), np.empty(n_users, np.int32)
    top_start, best = np.zeros(n_users + 1, np.int64), np.empty(n_users * min(top, widest), np.int64)
    _rank_users(
        users.target,
        users.owned_start,
        users.owned,
        users.list_start,
        users.weight,
        users.entry_start,
        users.neighbor,
        users.score,
        widest,
        top,
        better,
        ties,
        top_start,
        best,
    )
    return Ranks(better, ties, top_start, best[: top_start[-1]])


@njit(nogil=True)
def _rank_users(
    target: Any,
    owned_start: Any,
    owned: Any,
    list_start: Any,
    weight: Any,
    entry_start: Any,
    neighbor: Any,
    score: Any,
    widest: int,
    top: int,
    better: Any,
    ties: Any,
    top_start: Any,
    best: Any,
) -> None:
    table = np.full(_table_size(widest), -1, np.int32)
    keys, sums = np.empty(widest, np.int64), np.empty(widest, np.float64)
    for user in range(len(target)):
        first, last = list_start[user], list_start[user + 1]
        mask = _table_size(entry_start[last] - entry_start[first]) - 1
        size = 0
        for row in range(first, last):
            for entry in range(entry_start[row], entry_start[row + 1]):
                slot = _find(table, keys, neighbor[entry], mask)
                if table[slot] < 0:
                    table[slot] = size
                    keys[size] = neighbor[entry]
                    sums[size] = 0.0
                    size += 1
                sums[table[slot]] += weight[row] * score[entry]
        for place in range(owned_start[user], owned_start[user + 1]):
            slot = _find(table, keys, owned[place], mask)
            if table[slot] >= 0:
                sums[table[slot]] = np.nan
        aim = table[_find(table, keys, target[user], mask)]
        table[: mask + 1] = -1
        better[user], ties[user] = _standing(sums, size, aim)
        top_start[user + 1] = top_start[user] + _take_best(keys, sums, size, top, best[top_start[user] :])


@njit(nogil=True)
def _table_size(entries: int) -> int:
    """The power of two that keeps a table of so many entries at most half full."""
    size = 2
    while size < 2 * entries:
        size *= 2
    return size


@njit(nogil=True)
def _find(table: Any, keys: Any, key: int, mask: int) -> int:
    """The slot that holds a key, or the free slot where it belongs (open addressing, linear probing)."""
    slot = (key ^ (key >> 29)) & mask
    while table[slot] >= 0 and keys[table[slot]] != key:
        slot = (slot + 1) & mask
    return slot


@njit(nogil=True)
def _standing(sums: Any, size: int, aim: int) -> tuple[int, int]:
    """How many live items score above the target, and how many as high; owned items are marked by NaN."""
    if aim < 0 or np.isnan(sums[aim]):
        return -1, 0
    above, equal = 0, 0
    for place in range(size):
        if sums[place] > sums[aim]:
            above += 1
        elif sums[place] == sums[aim]:
            equal += 1
    return above, equal


@njit(nogil=True)
def _take_best(keys: Any, sums: Any, size: int, top: int, best: Any) -> int:
    """Write the keys of the highest sums, best first and equal ones by key; how many there are."""
    live = np.flatnonzero(~np.isnan(sums[:size]))
    count = min(top, len(live))
    if count == 0:
        return 0
    falls = -sums[live]
    if count < len(live):
        live = live[falls <= np.partition(falls, count - 1)[count - 1]]
    live = live[np.argsort(keys[live])]
    live = live[np.argsort(-sums[live], kind="mergesort")]
    best[:count] = keys[live[:count]]
    return count
