"""Swing for one block of items, compiled.

The similarity of items i and j sums over the unordered pairs {u, v} of users who have both:

    S(i, j) = sum of  w_u e_ui e_uj * w_v e_vi e_vj / (a2 + |I_u and I_v|),    w_u = (a1 + sum of
    u's edge weights)^-b

For one item i all of it can be had from the lists of its own m users. Every neighbour j that two of
them share adds 1 to a table cell (u, v) for each pair of its users; the cell then holds how many
items beside i the pair has in common, which is the whole denominator. The same pairs are walked
again to add up S, and the table is cleared. No hashing, no set intersection, and items are
independent of each other: about 2 * sum |I_u|^2 + 4 * (number of terms) steps.

Terms are added in the order (u, v) of the users, whatever the size of the table, so equal input
gives equal bits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from llm_i2i_spark.kernels.csr import (
    ITEM_SHIFT,
    ONE,
    Blocks,
    Doubles,
    Ints,
    ItemUsers,
    Longs,
    Places,
    Sizes,
    UserLists,
    cap_users,
    compiled,
    edge_weights,
    list_totals,
    user_order,
    users_of_items,
)
from llm_i2i_spark.kernels.edge_format import SYNTHETIC
from llm_i2i_spark.kernels.top_k import Best, Neighbors, room_for_neighbors, write_best

TABLE_CELLS = 1 << 22
CELLS_CLEARED_PER_PAIR = 8
"""Zeroing so many cells in a row takes about as long as finding one."""

NOWHERE = np.uint64(2**64 - 1)


class Occurrences(NamedTuple):
    """Who of an item's users has each kept neighbour: neighbour t owns positions starts[t] to
    starts[t + 1].

    Attributes:
        users: the user's place among the item's own users, ascending for each neighbour.
        strengths: w_u e_ui e_uj.
        real: whether both edges are; empty where all edges of the block are.
    """

    starts: Sizes
    users: Places
    strengths: Doubles
    real: npt.NDArray[np.bool_]


class Scratch(NamedTuple):
    """By kept neighbour: positions of the band in hand, and the sums over all pairs and over real
    ones. Made once a block.
    """

    begin: Sizes
    end: Sizes
    sums: Doubles
    real_sums: Doubles


@compiled
def user_weights(lists: UserLists, weights: Doubles, a1: float, b: float) -> Doubles:
    """w_u of every user; `weights` are those of all edges, from `edge_weights`."""
    powers: Doubles = (a1 + list_totals(lists, weights)) ** -b
    return powers


@compiled
def swing_block(
    lists: UserLists,
    block_of: Blocks,
    block: int,
    a1: float,
    a2: float,
    b: float,
    lots: Ints,
    cap: int,
    top_k: int,
) -> Neighbors:
    """The best `top_k` neighbours of every item of a block.

    Args:
        lists: the whole lists of all users who have such an item.
        block_of: the block of each item, by number.
        a1: added to a user's total in its weight.
        a2: added to the number of common items in the denominator.
        b: exponent of the user weights.
        lots: by item number, for the lottery of items with more users than the cap.
        cap: users that an item's row is summed over.
        top_k: neighbours kept an item, by similarity, then by item number.

    Returns:
        Similarities; the number of users behind each; the share of S that is gone when only pairs
        of users count all four of whose edges are real.
    """
    of_items = cap_users(
        lists, users_of_items(lists, user_order(lists), block_of, block), lots, cap
    )
    offsets = lists.offsets.astype(np.uint64)
    weights = edge_weights(lists)
    w = user_weights(lists, weights, a1, b)
    most, reach, longest = _extent(lists, of_items)
    table = np.zeros(max(min(most * most, TABLE_CELLS), most), np.uint32)
    reciprocals = np.empty(longest + 1)
    for n in range(longest + 1):
        reciprocals[n] = 1.0 / (a2 + (n + 1))
    seen, kept = np.zeros(len(block_of), np.uint32), np.empty(len(block_of), np.uint32)
    widest = min(reach, len(block_of)) + 1
    room = Occurrences(
        np.zeros(widest, np.uint64),
        np.empty(reach, np.uint32),
        np.empty(reach),
        np.empty(reach if len(weights) else 0, np.bool_),
    )
    scratch = Scratch(
        np.empty(widest, np.uint64), np.empty(widest, np.uint64), np.empty(widest), np.empty(widest)
    )
    best = Best(np.empty(top_k, np.uint32), np.empty(top_k))
    out = room_for_neighbors(lists, of_items, top_k, 2)
    rows = 0
    for t in range(len(of_items.items)):
        own = of_items.users[of_items.starts[t] : of_items.starts[t + 1]]
        if len(own) < 2:
            continue
        item = of_items.items[t]
        neighbors = kept[: _count_neighbors(lists.edges, offsets, own, item, seen, kept)]
        own_edges = of_items.edges[of_items.starts[t] : of_items.starts[t + 1]]
        found = _find_occurrences(
            lists.edges, offsets, weights, w, own, own_edges, seen, neighbors, room, scratch.begin
        )
        _sum_pairs(found, len(own), reciprocals, table, scratch)
        rows = write_best(
            out, rows, item, neighbors, found.starts, scratch.sums, scratch.real_sums, best
        )
    return Neighbors(
        out.item[:rows],
        out.neighbor[:rows],
        out.similarity[:rows],
        out.support[:rows],
        out.synthetic_share[:rows],
    )


@compiled
def _extent(lists: UserLists, of_items: ItemUsers) -> tuple[int, int, int]:
    """The most users of an item, the most edges that an item's users have together, the longest
    list.
    """
    most, most_edges, longest = 0, 0, 0
    for t in range(len(of_items.items)):
        reach = 0
        for user in of_items.users[of_items.starts[t] : of_items.starts[t + 1]]:
            length = lists.offsets[user + 1] - lists.offsets[user]
            reach += length
            longest = max(longest, length)
        most = max(most, of_items.starts[t + 1] - of_items.starts[t])
        most_edges = max(most_edges, reach)
    return most, most_edges, longest


@compiled
def _count_neighbors(
    edges: Places, offsets: Sizes, own: Places, item: int, seen: Places, kept: Places
) -> int:
    """Count the other items of an item's users; those seen twice or more stay in `kept`. Returns
    how many.
    """
    touched = 0
    for user in own:
        for place in range(offsets[user], offsets[user + ONE]):
            other = edges[place] >> ITEM_SHIFT
            if seen[other] == 0:
                kept[touched] = other
                touched += 1
            seen[other] += 1
    seen[item] = 0
    n_kept = 0
    for other in kept[:touched]:
        if seen[other] >= 2:
            kept[n_kept] = other
            n_kept += 1
        else:
            seen[other] = 0
    return n_kept


@compiled
def _find_occurrences(
    edges: Places,
    offsets: Sizes,
    weights: Doubles,
    w: Doubles,
    own: Places,
    own_edges: Longs,
    seen: Places,
    kept: Places,
    room: Occurrences,
    free: Sizes,
) -> Occurrences:
    """Who has each kept neighbour, and how strongly; users numbered by their place in `own`. Zeroes
    `seen`.
    """
    starts = room.starts[: len(kept) + 1]
    for t in range(len(kept)):
        starts[t + 1] = starts[t] + seen[kept[t]]
        free[t] = starts[t]
        seen[kept[t]] = (
            t + 1
        )  # from here on: the neighbour's place plus one, 0 for items that are not kept
    weighted = len(weights) > 0
    for local in range(len(own)):
        user = own[local]
        begin, end = offsets[user], offsets[user + ONE]
        if weighted:
            strength = w[user] * weights[own_edges[local]]
            marks = edges[own_edges[local]]
            for place in range(begin, end):
                t = seen[edges[place] >> ITEM_SHIFT] - ONE
                if t != NOWHERE:
                    room.users[free[t]] = local
                    room.strengths[free[t]] = strength * weights[place]
                    room.real[free[t]] = not (edges[place] | marks) & SYNTHETIC
                    free[t] += ONE
        else:
            strength = w[user]
            for place in range(begin, end):
                t = seen[edges[place] >> ITEM_SHIFT] - ONE
                if t != NOWHERE:
                    room.users[free[t]] = local
                    room.strengths[free[t]] = strength
                    free[t] += ONE
    for other in kept:
        seen[other] = 0
    n = starts[-1]
    return Occurrences(
        starts, room.users[:n], room.strengths[:n], room.real[: n if weighted else 0]
    )


@compiled
def _sum_pairs(
    found: Occurrences, n_users: int, reciprocals: Doubles, table: Places, scratch: Scratch
) -> None:
    """S of each kept neighbour, over all pairs and over real pairs, into the scratch's sums.

    The table has a row for each of `height` users at a time: an item with very many users is summed
    band by band, in bounded memory and in the same order.
    """
    n_kept = len(found.starts) - 1
    mixed = len(found.real) > 0
    begin, end = scratch.begin, scratch.end
    for t in range(n_kept):
        begin[t] = found.starts[t]
        scratch.sums[t] = scratch.real_sums[t] = 0.0
    height = min(max(len(table) // n_users, 1), n_users)
    for low in range(0, n_users, height):
        for t in range(n_kept):
            end[t] = begin[t] if height < n_users else found.starts[t + 1]
            while end[t] < found.starts[t + 1] and found.users[end[t]] < low + height:
                end[t] += ONE
            _count_pairs(
                found.users,
                begin[t],
                end[t],
                found.starts[t + 1],
                np.uint64(low),
                np.uint64(n_users),
                table,
            )
        for t in range(n_kept):
            span = (begin[t], end[t], found.starts[t + 1])
            scratch.sums[t] = _add_terms(
                found, span, np.uint64(low), np.uint64(n_users), reciprocals, table, scratch.sums[t]
            )
            if mixed:
                scratch.real_sums[t] = _add_real_terms(
                    found,
                    span,
                    np.uint64(low),
                    np.uint64(n_users),
                    reciprocals,
                    table,
                    scratch.real_sums[t],
                )
        _clear_table(
            found, begin, end, np.uint64(low), np.uint64(n_users), table[: height * n_users]
        )
        for t in range(n_kept):
            begin[t] = end[t]
    if not mixed:
        scratch.real_sums[:n_kept] = scratch.sums[:n_kept]


@compiled
def _count_pairs(
    users: Places, begin: int, end: int, stop: int, low: int, n_users: int, table: Places
) -> None:
    """Add 1 to the cell of each pair of users, the first of whom stands at `begin` to `end`, the
    second behind it.
    """
    for first in range(begin, end):
        row = (users[first] - low) * n_users
        for other in range(first + ONE, stop):
            table[row + users[other]] += ONE


@compiled
def _clear_table(
    found: Occurrences, begin: Sizes, end: Sizes, low: int, n_users: int, table: Places
) -> None:
    """Zero the cells of the band: all of them at once, or where few are in use, those alone."""
    pairs = 0
    for t in range(len(found.starts) - 1):
        pairs += (end[t] - begin[t]) * (found.starts[t + 1] - begin[t])
    if len(table) <= CELLS_CLEARED_PER_PAIR * pairs:
        table[:] = 0
        return
    for t in range(len(found.starts) - 1):
        for first in range(begin[t], end[t]):
            row = (found.users[first] - low) * n_users
            for other in range(first + ONE, found.starts[t + 1]):
                table[row + found.users[other]] = 0


@compiled
def _add_terms(
    found: Occurrences,
    span: tuple[int, int, int],
    low: int,
    n_users: int,
    reciprocals: Doubles,
    table: Places,
    total: float,
) -> float:
    """A neighbour's sum, grown by its terms of this band. A cell counts the common items beside the
    item itself.
    """
    for first in range(span[0], span[1]):
        row = (found.users[first] - low) * n_users
        for other in range(first + ONE, span[2]):
            total += (
                found.strengths[first]
                * found.strengths[other]
                * reciprocals[table[row + found.users[other]]]
            )
    return total


@compiled
def _add_real_terms(
    found: Occurrences,
    span: tuple[int, int, int],
    low: int,
    n_users: int,
    reciprocals: Doubles,
    table: Places,
    total: float,
) -> float:
    """As `_add_terms`, without the pairs that have a synthetic edge."""
    for first in range(span[0], span[1]):
        row = (found.users[first] - low) * n_users
        for other in range(first + ONE, span[2]):
            if found.real[first] and found.real[other]:
                total += (
                    found.strengths[first]
                    * found.strengths[other]
                    * reciprocals[table[row + found.users[other]]]
                )
    return total
