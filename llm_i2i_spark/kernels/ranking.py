"""The compiled core: merge a user's neighbour lists, remove what they own, and find where the
target stands.

It knows integers only: item keys are any distinct int64 numbers. Users are laid out one after the
other in flat arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Function = TypeVar("Function", bound=Callable[..., Any])
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class UserLists(NamedTuple):
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

    target: Ints
    owned_start: Ints
    owned: Ints
    list_start: Ints
    weight: Floats
    entry_start: Ints
    neighbor: Ints
    score: Floats


class Ranks(NamedTuple):
    """Where each user's target stands, and what stands on top.

    Attributes:
        better: (users,) items that score strictly higher than the target; -1 where no list holds
            it.
        ties: (users,) items with exactly its score, itself included; 0 where no list holds it.
        top_start: (users + 1,) offsets into `top`.
        top: item keys of each user's best items, best first, equal scores by key.
    """

    better: NDArray[np.int32]
    ties: NDArray[np.int32]
    top_start: Ints
    top: Ints


def compiled(function: Function) -> Function:
    """Compile at the first call and keep the machine code on disk, beside this file or in numba's
    cache folder.
    """
    return cast(Function, njit(cache=True, nogil=True)(function))


def rank_targets(users: UserLists, top: int) -> Ranks:
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
    _rank_users(users, widest, top, better, ties, top_start, best)
    return Ranks(better, ties, top_start, best[: top_start[-1]])


@compiled
def _rank_users(
    users: UserLists,
    widest: int,
    top: int,
    better: NDArray[np.int32],
    ties: NDArray[np.int32],
    top_start: Ints,
    best: Ints,
) -> None:
    table = np.full(_table_size(widest), -1, np.int32)
    keys, sums, heap = (
        np.empty(widest, np.int64),
        np.empty(widest, np.float64),
        np.empty(top, np.int64),
    )
    for user in range(len(users.target)):
        first, last = users.list_start[user], users.list_start[user + 1]
        mask = _table_size(users.entry_start[last] - users.entry_start[first]) - 1
        size = 0
        for row in range(first, last):
            for entry in range(users.entry_start[row], users.entry_start[row + 1]):
                slot = _find(table, keys, users.neighbor[entry], mask)
                if table[slot] < 0:
                    table[slot] = size
                    keys[size] = users.neighbor[entry]
                    sums[size] = 0.0
                    size += 1
                sums[table[slot]] += users.weight[row] * users.score[entry]
        for place in range(users.owned_start[user], users.owned_start[user + 1]):
            slot = _find(table, keys, users.owned[place], mask)
            if table[slot] >= 0:
                sums[table[slot]] = np.nan
        aim = table[_find(table, keys, users.target[user], mask)]
        table[: mask + 1] = -1
        better[user], ties[user] = _standing(sums, size, aim)
        top_start[user + 1] = top_start[user] + _take_best(
            keys, sums, size, heap, best[top_start[user] :]
        )


@compiled
def _table_size(entries: int) -> int:
    """The power of two that keeps a table of so many entries at most half full."""
    size = 2
    while size < 2 * entries:
        size *= 2
    return size


@compiled
def _find(table: NDArray[np.int32], keys: Ints, key: int, mask: int) -> int:
    """The slot that holds a key, or the free slot where it belongs (open addressing, linear
    probing).
    """
    slot = (key ^ (key >> 29)) & mask
    while table[slot] >= 0 and keys[table[slot]] != key:
        slot = (slot + 1) & mask
    return slot


@compiled
def _standing(sums: Floats, size: int, aim: int) -> tuple[int, int]:
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


@compiled
def _take_best(keys: Ints, sums: Floats, size: int, heap: Ints, best: Ints) -> int:
    """Write the keys of the highest live sums, best first and equal ones by key; how many there
    are.

    `heap` is room for the places of the best so far, the worst of them on top.
    """
    held = 0
    for place in range(size):
        if np.isnan(sums[place]):
            continue
        if held < len(heap):
            heap[held] = place
            held += 1
            if held == len(heap):
                for root in range(held // 2 - 1, -1, -1):
                    _sink(keys, sums, heap, root, held)
        elif _is_worse(keys, sums, heap[0], place):
            heap[0] = place
            _sink(keys, sums, heap, 0, held)
    if held < len(heap):
        for root in range(held // 2 - 1, -1, -1):
            _sink(keys, sums, heap, root, held)
    for end in range(held - 1, -1, -1):
        best[end] = keys[heap[0]]
        heap[0] = heap[end]
        _sink(keys, sums, heap, 0, end)
    return held


@compiled
def _is_worse(keys: Ints, sums: Floats, one: int, other: int) -> bool:
    """Whether an item stands behind another: by lower sum, and of equal ones by larger key."""
    return bool(sums[one] < sums[other] or (sums[one] == sums[other] and keys[one] > keys[other]))


@compiled
def _sink(keys: Ints, sums: Floats, heap: Ints, root: int, held: int) -> None:
    """Move the entry at `root` down until both below it are better."""
    while 2 * root + 1 < held:
        child = 2 * root + 1
        if child + 1 < held and _is_worse(keys, sums, heap[child + 1], heap[child]):
            child += 1
        if not _is_worse(keys, sums, heap[child], heap[root]):
            return
        heap[root], heap[child] = heap[child], heap[root]
        root = child
