"""Users' lists as flat arrays, and what every kernel does with them first: order the users, turn
the lists round.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

from llm_i2i_spark.kernels import edge_format
from llm_i2i_spark.kernels.edge_format import CAPPED, SYNTHETIC

# Unsigned, as is all that the inner loops index by: a signed index would be checked for a count
# from the end.
ITEM_SHIFT = np.uint32(edge_format.ITEM_SHIFT)
ONE = np.uint64(1)
NO_BLOCK = np.uint16(edge_format.NO_BLOCK)
NO_LIMIT = np.uint64(edge_format.NO_LIMIT)

Function = TypeVar("Function", bound=Callable[..., Any])
Ints = npt.NDArray[np.int32]
Places = npt.NDArray[np.uint32]
Sizes = npt.NDArray[np.uint64]
Blocks = npt.NDArray[np.uint16]
Longs = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]


class UserLists(NamedTuple):
    """The lists of a block's users, ragged: user u owns edges offsets[u] to offsets[u + 1].

    Attributes:
        keys: by user, from the text of the id; with the list's content it orders the users.
        edges: item number << ITEM_SHIFT with the bits SYNTHETIC and CAPPED, ascending in each list.
        weights: of the synthetic edges, in the order in which they stand; every other edge weighs
            1.
    """

    keys: Ints
    offsets: Longs
    edges: Places
    weights: Doubles


class ItemUsers(NamedTuple):
    """The lists turned round: the block's item t has the users at positions starts[t] to starts[t +
    1], in their order.

    Attributes:
        items: the block's items, ascending.
        users: positions in the lists.
        edges: where in `UserLists.edges` the user's edge to the item is.
    """

    items: Places
    starts: Longs
    users: Places
    edges: Longs


def _digest_kernels() -> str:
    """Of all source files of this folder."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


KERNELS = _digest_kernels()


def compiled(function: Function) -> Function:
    """Compile at the first call and keep the machine code on disk, beside this file or in numba's
    cache folder.
    """
    dispatcher: Any = njit(cache=True)(function)
    # numba takes what it finds on disk for fresh while the function's own file is unchanged,
    # whatever became of the files of the functions that it calls; here one changed kernel file
    # makes all of them stale.
    dispatcher._cache._cache_file._source_stamp = KERNELS
    return cast(Function, dispatcher)


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array, not to be written to: numba compiles once for arrays that are and once for those
    that are not.

    What comes from Arrow is, so everything else that a kernel is given is made so.
    """
    array.flags.writeable = False
    return array


@compiled
def sorting_order(keys: Sizes) -> Longs:
    """Places in ascending order of the keys, equal ones as they stand. All kernels sort by this, so
    one sort is compiled.
    """
    return np.argsort(keys, kind="mergesort")


@compiled
def lowest_places(numbers: Sizes, n: int) -> Longs:
    """The places of the n lowest numbers, in the order of the places."""
    chosen = np.zeros(len(numbers), np.bool_)
    chosen[sorting_order(numbers)[:n]] = True
    return np.nonzero(chosen)[0]


@compiled
def user_order(lists: UserLists) -> Places:
    """The order in which users' terms are added: by key, and where keys are equal by list and
    weights.

    It is a function of the rows alone, not of how they came here. Users who are equal in all of it
    are interchangeable.
    """
    order = sorting_order((lists.keys.astype(np.int64) + 2**31).astype(np.uint64)).astype(np.uint32)
    begin = 0
    for end in range(1, len(order) + 1):
        if end == len(order) or lists.keys[order[end]] != lists.keys[order[begin]]:
            if end - begin > 1:
                _sort_equal_keys(lists, order[begin:end])
            begin = end
    return order


@compiled
def _sort_equal_keys(lists: UserLists, order: Places) -> None:
    """Insertion sort in place: two users in four billion share a key by chance."""
    for place in range(1, len(order)):
        user = order[place]
        free = place
        while free > 0 and _comes_first(lists, user, order[free - 1]):
            order[free] = order[free - 1]
            free -= 1
        order[free] = user


@compiled
def _comes_first(lists: UserLists, left: int, right: int) -> bool:
    n_left, n_right = (
        lists.offsets[left + 1] - lists.offsets[left],
        lists.offsets[right + 1] - lists.offsets[right],
    )
    for place in range(min(n_left, n_right)):
        a, b = lists.edges[lists.offsets[left] + place], lists.edges[lists.offsets[right] + place]
        if a != b:
            return bool(a < b)
    if n_left != n_right:
        return bool(n_left < n_right)
    first_left, first_right = _first_weight(lists, left), _first_weight(lists, right)
    for place in range(_count_synthetic(lists, left)):
        w, v = lists.weights[first_left + place], lists.weights[first_right + place]
        if w != v:
            return bool(w < v)
    return False


@compiled
def _count_synthetic(lists: UserLists, user: int) -> int:
    count = 0
    for edge in range(lists.offsets[user], lists.offsets[user + 1]):
        count += lists.edges[edge] & SYNTHETIC
    return count


@compiled
def _first_weight(lists: UserLists, user: int) -> int:
    count = 0
    for edge in range(lists.offsets[user]):
        count += lists.edges[edge] & SYNTHETIC
    return count


@compiled
def draw_number(key: int, lot: int) -> Any:
    """A user's number in an item's lottery, a uint64: both 32-bit hashes, mixed (the finalizer of
    SplitMix64; Steele et al. 2014).
    """
    x = (np.uint64(key) << np.uint64(32)) ^ (np.uint64(lot) & np.uint64(0xFFFFFFFF))
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@compiled
def draw_each(keys: Ints, lots: Ints) -> Sizes:
    """`draw_number` of each pair of a user's key and an item's lot."""
    numbers = np.empty(len(keys), np.uint64)
    for place in range(len(keys)):
        numbers[place] = draw_number(keys[place], lots[place])
    return numbers


def draw_numbers(lists: UserLists, lots: Ints) -> Sizes:
    """The number of every edge's user in the lottery of its item."""
    numbers: Sizes = draw_each(
        np.repeat(lists.keys, np.diff(lists.offsets)), lots[lists.edges >> ITEM_SHIFT]
    )
    return numbers


@compiled
def cap_users(lists: UserLists, of_items: ItemUsers, lots: Ints, cap: int) -> ItemUsers:
    """Of every item with more users than the cap, those with the lowest numbers in its lottery, in
    their order.

    Args:
        lots: by item number.
        cap: users that an item's row is summed over.
    """
    starts = np.zeros_like(of_items.starts)
    kept = 0
    for t in range(len(of_items.items)):
        begin, end = of_items.starts[t], of_items.starts[t + 1]
        if end - begin <= cap:
            for place in range(begin, end):
                of_items.users[kept], of_items.edges[kept] = (
                    of_items.users[place],
                    of_items.edges[place],
                )
                kept += 1
        else:
            numbers = np.empty(end - begin, np.uint64)
            for place in range(begin, end):
                numbers[place - begin] = draw_number(
                    lists.keys[of_items.users[place]], lots[of_items.items[t]]
                )
            for place in lowest_places(numbers, cap):
                of_items.users[kept], of_items.edges[kept] = (
                    of_items.users[begin + place],
                    of_items.edges[begin + place],
                )
                kept += 1
        starts[t + 1] = kept
    return ItemUsers(of_items.items, starts, of_items.users[:kept], of_items.edges[:kept])


@compiled
def edge_weights(lists: UserLists) -> Doubles:
    """The weight of every edge; empty where all of them weigh 1."""
    if len(lists.weights) == 0:
        return lists.weights
    weights = np.ones(len(lists.edges))
    place = 0
    for edge in range(len(lists.edges)):
        if lists.edges[edge] & SYNTHETIC:
            weights[edge] = lists.weights[place]
            place += 1
    return weights


@compiled
def list_totals(lists: UserLists, weights: Doubles) -> Doubles:
    """The sum of each user's edge weights, added in the order of the list."""
    totals = np.empty(len(lists.offsets) - 1)
    for user in range(len(totals)):
        if len(weights) == 0:
            totals[user] = float(lists.offsets[user + 1] - lists.offsets[user])
        else:
            total = 0.0
            for edge in range(lists.offsets[user], lists.offsets[user + 1]):
                total += weights[edge]
            totals[user] = total
    return totals


@compiled
def users_of_items(lists: UserLists, order: Places, block_of: Blocks, block: int) -> ItemUsers:
    """Who has each item of the block, without the edges that a cap left out.

    Args:
        order: of the users, from `user_order`.
        block_of: the block of each item, by number.
        block: whose items are wanted.
    """
    place_of = np.zeros(len(block_of), np.int32)
    for edge in lists.edges:
        if not edge & CAPPED and block_of[edge >> ITEM_SHIFT] == block:
            place_of[edge >> ITEM_SHIFT] += 1
    items = np.nonzero(place_of)[0].astype(np.uint32)
    starts = np.zeros(len(items) + 1, np.int64)
    for t in range(len(items)):
        starts[t + 1] = starts[t] + place_of[items[t]]
        place_of[items[t]] = t
    users = np.empty(starts[-1], np.uint32)
    edges = np.empty(starts[-1], np.int64)
    free = starts[:-1].copy()
    for user in order:
        for place in range(lists.offsets[user], lists.offsets[user + 1]):
            edge = lists.edges[place]
            if not edge & CAPPED and block_of[edge >> ITEM_SHIFT] == block:
                t = place_of[edge >> ITEM_SHIFT]
                users[free[t]], edges[free[t]] = user, place
                free[t] += 1
    return ItemUsers(items, starts, users, edges)
