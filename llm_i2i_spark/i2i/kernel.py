"""Swing for one block of items, compiled: users' lists in, each item's best neighbours out. NumPy and numba only.

The similarity of items i and j sums over the unordered pairs {u, v} of users who have both:

    S(i, j) = sum of  w_u e_ui e_uj * w_v e_vi e_vj / (a2 + |I_u and I_v|)

For one item i all of it can be had from the lists of its own m users. Every neighbour j that two of them share adds 1 to
a table cell (u, v) for each pair of its users; the cell then holds how many items beside i the pair has in common, which
is the whole denominator. The same pairs are walked again to add up S, and once more to clear the table. No hashing, no
set intersection, and items are independent of each other: about 2 * sum |I_u|^2 + 6 * (number of terms) steps.

Terms are added in the order (u, v) of the users' numbers, whatever the size of the table, so equal input gives equal bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

from llm_i2i_spark.i2i.agreement import CAPPED, ROUNDING, SYNTHETIC

TABLE_CELLS = 1 << 22

Function = TypeVar("Function", bound=Callable[..., Any])
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]
Bits = npt.NDArray[np.int8]


class UserLists(NamedTuple):
    """The lists of a block's users, ragged: user u owns positions offsets[u] to offsets[u + 1] of the edge arrays."""

    offsets: Ints
    items: Ints
    weights: Doubles
    marks: Bits
    user_weights: Doubles


class Neighbors(NamedTuple):
    """A row a neighbour, grouped by item, best first."""

    item: Ints
    neighbor: Ints
    similarity: Doubles
    support: Ints
    synthetic_share: Doubles


class Occurrences(NamedTuple):
    """Who of an item's users has each kept neighbour: neighbour t owns positions starts[t] to starts[t + 1]."""

    starts: Longs
    users: Ints
    strengths: Doubles
    real: npt.NDArray[np.bool_]


def compiled(function: Function) -> Function:
    """Compile at the first call and keep the machine code on disk, beside this file or in numba's cache folder."""
    return cast(Function, njit(cache=True)(function))


@compiled
def swing_block(lists: UserLists, block: int, blocks: int, a2: float, top_k: int) -> Neighbors:
    """The best `top_k` neighbours of every item whose number is `block` modulo `blocks`.

    Args:
        lists: the whole lists of all users who have such an item; users in the order in which terms are to be added.
        a2: added to the number of common items in the denominator.
        top_k: neighbours kept an item, by similarity, then by item number.

    Returns:
        Similarities rounded to 42 significant bits (relative error at most 2^-42), so that sums which are equal in exact
        arithmetic tie and the item number decides; the number of users behind each; the share of S that is gone when
        only pairs of users count all four of whose edges are real.
    """
    n_items = 0
    for other in lists.items:
        n_items = max(n_items, other + 1)
    starts, users, edges = _users_of_items(lists, block, blocks, n_items)
    most, capacity, longest = _extent(lists, starts, users, top_k)
    out = Neighbors(
        np.empty(capacity, np.int32), np.empty(capacity, np.int32), np.empty(capacity), np.empty(capacity, np.int32), np.empty(capacity)
    )
    table = np.zeros(max(min(most * most, TABLE_CELLS), most), np.int32)
    reciprocals = np.empty(longest + 1)
    for n in range(longest + 1):
        reciprocals[n] = 1.0 / (a2 + (n + 1))
    seen = np.zeros(n_items, np.int32)
    kept = np.empty(len(seen), np.int32)
    rows = 0
    for local in range(len(starts) - 1):
        own = users[starts[local] : starts[local + 1]]
        if len(own) < 2:
            continue
        item = local * blocks + block
        n_kept = _count_neighbors(lists, own, item, seen, kept)
        found = _find_occurrences(lists, own, edges[starts[local] : starts[local + 1]], item, seen, kept[:n_kept])
        sums, real_sums = _sum_pairs(found, len(own), reciprocals, table)
        rows = _write_best(out, rows, item, kept[:n_kept], found.starts, sums, real_sums, top_k)
    return Neighbors(out.item[:rows], out.neighbor[:rows], out.similarity[:rows], out.support[:rows], out.synthetic_share[:rows])


@compiled
def _users_of_items(lists: UserLists, block: int, blocks: int, n_items: int) -> tuple[Longs, Ints, Longs]:
    """The lists turned round, for the block's items: starts, then user and edge position, users ascending."""
    size = (n_items + blocks - 1 - block) // blocks
    starts = np.zeros(size + 1, np.int64)
    for edge in range(len(lists.items)):
        if lists.items[edge] % blocks == block and not lists.marks[edge] & CAPPED:
            starts[lists.items[edge] // blocks + 1] += 1
    for local in range(size):
        starts[local + 1] += starts[local]
    users = np.empty(starts[-1], np.int32)
    edges = np.empty(starts[-1], np.int64)
    free = starts[:-1].copy()
    for user in range(len(lists.offsets) - 1):
        for edge in range(lists.offsets[user], lists.offsets[user + 1]):
            if lists.items[edge] % blocks == block and not lists.marks[edge] & CAPPED:
                place = free[lists.items[edge] // blocks]
                users[place], edges[place] = user, edge
                free[lists.items[edge] // blocks] += 1
    return starts, users, edges


@compiled
def _extent(lists: UserLists, starts: Longs, users: Ints, top_k: int) -> tuple[int, int, int]:
    """The most users of an item, an upper bound of the rows to write, the longest list."""
    most, capacity, longest = 0, 0, 0
    for local in range(len(starts) - 1):
        reach = 0
        for place in range(starts[local], starts[local + 1]):
            length = lists.offsets[users[place] + 1] - lists.offsets[users[place]]
            reach += length - 1
            longest = max(longest, length)
        most = max(most, starts[local + 1] - starts[local])
        # A neighbour is written only where two users share it, so at most half of what is reached is.
        capacity += min(top_k, reach // 2)
    return most, capacity, longest


@compiled
def _count_neighbors(lists: UserLists, own: Ints, item: int, seen: Ints, kept: Ints) -> int:
    """Count the other items of an item's users; those seen twice or more stay in `kept`, ascending. Returns how many."""
    touched = 0
    for user in own:
        for edge in range(lists.offsets[user], lists.offsets[user + 1]):
            other = lists.items[edge]
            if other != item:
                if seen[other] == 0:
                    kept[touched] = other
                    touched += 1
                seen[other] += 1
    n_kept = 0
    for place in range(touched):
        other = kept[place]
        if seen[other] >= 2:
            kept[n_kept] = other
            n_kept += 1
        else:
            seen[other] = 0
    kept[:n_kept].sort()
    return n_kept


@compiled
def _find_occurrences(lists: UserLists, own: Ints, edges: Longs, item: int, seen: Ints, kept: Ints) -> Occurrences:
    """Who has each kept neighbour, and how strongly; users numbered by their place in `own`. Zeroes `seen`."""
    starts = np.zeros(len(kept) + 1, np.int64)
    for t in range(len(kept)):
        starts[t + 1] = starts[t] + seen[kept[t]]
        seen[kept[t]] = t + 1  # from here on: the neighbour's place plus one, 0 for items that are not kept
    free = starts[:-1].copy()
    users = np.empty(starts[-1], np.int32)
    strengths = np.empty(starts[-1])
    real = np.empty(starts[-1], np.bool_)
    for local in range(len(own)):
        user = own[local]
        strength = lists.user_weights[user] * lists.weights[edges[local]]
        for edge in range(lists.offsets[user], lists.offsets[user + 1]):
            t = seen[lists.items[edge]] - 1
            if t >= 0 and lists.items[edge] != item:
                users[free[t]] = local
                strengths[free[t]] = strength * lists.weights[edge]
                real[free[t]] = not (lists.marks[edge] | lists.marks[edges[local]]) & SYNTHETIC
                free[t] += 1
    for other in kept:
        seen[other] = 0
    return Occurrences(starts, users, strengths, real)


@compiled
def _sum_pairs(found: Occurrences, n_users: int, reciprocals: Doubles, table: Ints) -> tuple[Doubles, Doubles]:
    """S of each kept neighbour, over all pairs and over real pairs.

    The table has a row for each of `height` users at a time: an item with very many users is summed band by band, in
    bounded memory and in the same order.
    """
    n_kept = len(found.starts) - 1
    sums, real_sums = np.zeros(n_kept), np.zeros(n_kept)
    begin = found.starts[:-1].copy()
    height = max(len(table) // n_users, 1)
    for low in range(0, n_users, height):
        end = begin.copy()
        for t in range(n_kept):
            while end[t] < found.starts[t + 1] and found.users[end[t]] < low + height:
                row = (found.users[end[t]] - low) * n_users
                for other in range(end[t] + 1, found.starts[t + 1]):
                    table[row + found.users[other]] += 1
                end[t] += 1
        for t in range(n_kept):
            sums[t], real_sums[t] = _sum_band(found, t, begin[t], end[t], low, n_users, reciprocals, table, sums[t], real_sums[t])
        for t in range(n_kept):
            for first in range(begin[t], end[t]):
                row = (found.users[first] - low) * n_users
                for other in range(first + 1, found.starts[t + 1]):
                    table[row + found.users[other]] = 0
        begin = end
    return sums, real_sums


@compiled
def _sum_band(
    found: Occurrences,
    t: int,
    begin: int,
    end: int,
    low: int,
    n_users: int,
    reciprocals: Doubles,
    table: Ints,
    total: float,
    real_total: float,
) -> tuple[float, float]:
    """The two sums of neighbour t, grown by the pairs whose first user stands at `begin` to `end`."""
    for first in range(begin, end):
        row = (found.users[first] - low) * n_users
        for other in range(first + 1, found.starts[t + 1]):
            # The cell counts the common items beside this one, and reciprocals[n] is 1 / (a2 + n + 1).
            term = found.strengths[first] * found.strengths[other] * reciprocals[table[row + found.users[other]]]
            total += term
            if found.real[first] and found.real[other]:
                real_total += term
    return total, real_total


@compiled
def _write_best(out: Neighbors, rows: int, item: int, kept: Ints, starts: Longs, sums: Doubles, real_sums: Doubles, top_k: int) -> int:
    """Append an item's best neighbours to `out` behind its first `rows` rows. Returns the new number of rows."""
    rounded = np.empty(len(kept))
    for t in range(len(kept)):
        scaled = sums[t] * ROUNDING
        rounded[t] = scaled - (scaled - sums[t])
    # Neighbours stand in the order of their numbers, which a stable sort keeps among equals.
    order = np.argsort(-rounded, kind="mergesort")
    for place in range(min(top_k, len(order))):
        t = order[place]
        if rounded[t] == 0.0:
            break  # weights so small that their product is not a number above 0
        out.item[rows] = item
        out.neighbor[rows] = kept[t]
        out.similarity[rows] = rounded[t]
        out.support[rows] = starts[t + 1] - starts[t]
        out.synthetic_share[rows] = min(max(1.0 - real_sums[t] / sums[t], 0.0), 1.0)
        rows += 1
    return rows
