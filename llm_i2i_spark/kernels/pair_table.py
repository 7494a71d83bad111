"""Sums over pairs of users by a table of pairs: what Swing adds up for one item.

For one item, each kept neighbour adds 1 to the table cell (u, v) of every pair of its users; a cell
then holds how many items beside the item itself the pair has in common. The same pairs are walked
again to add up the terms, and the table is cleared.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llm_i2i_spark.kernels.arrays import BoolArray, Float64Array, UInt32Array, UInt64Array
from llm_i2i_spark.kernels.compiled import compiled
from llm_i2i_spark.kernels.csr import ONE

CELLS_CLEARED_PER_PAIR = 8
"""Zeroing so many cells in a row takes about as long as finding one."""


class Occurrences(NamedTuple):
    """The users of an item who have each kept neighbor: neighbor t owns positions indptr[t] to
    indptr[t + 1].

    Attributes:
        indptr: (neighbours + 1,) offsets into the other arrays.
        users: position of the user among the item's own users, ascending for each neighbour.
        strengths: w_u e_ui e_uj.
        real: whether both edges are real; empty where all edges of the block are.
    """

    indptr: UInt64Array
    users: UInt32Array
    strengths: Float64Array
    real: BoolArray


class PairSums(NamedTuple):
    """Working memory and result of `sum_pairs`, by kept neighbour. Allocated once a block.

    Attributes:
        begin: first position of the band of users in hand.
        end: its end.
        sums: over all pairs of users.
        real_sums: over pairs whose four edges are real.
    """

    begin: UInt64Array
    end: UInt64Array
    sums: Float64Array
    real_sums: Float64Array


@compiled
def allocate_pair_sums(neighbors: int) -> PairSums:
    """Working memory for so many neighbours of one item."""
    return PairSums(
        np.empty(neighbors, np.uint64),
        np.empty(neighbors, np.uint64),
        np.empty(neighbors),
        np.empty(neighbors),
    )


@compiled
def sum_pairs(
    found: Occurrences,
    n_users: int,
    reciprocals: Float64Array,
    table: UInt32Array,
    result: PairSums,
) -> None:
    """S of each kept neighbour, over all pairs of users and over real ones.

    The table has a row for each of `height` users at a time: an item with very many users is summed
    band by band, in bounded memory and in the same order.

    Args:
        found: the users of each neighbour.
        n_users: users of the item.
        reciprocals: 1 / (a2 + n + 1) by n, the items a pair has in common beside the item itself.
        table: zeros; zeroed again at the end.
        result: its arrays `sums` and `real_sums` are filled.
    """
    n_neighbors = len(found.indptr) - 1
    mixed = len(found.real) > 0
    begin, end = result.begin, result.end
    for t in range(n_neighbors):
        begin[t] = found.indptr[t]
        result.sums[t] = result.real_sums[t] = 0.0
    height = min(max(len(table) // n_users, 1), n_users)
    for first_user in range(0, n_users, height):
        low, width = np.uint64(first_user), np.uint64(n_users)
        for t in range(n_neighbors):
            end[t] = begin[t] if height < n_users else found.indptr[t + 1]
            while end[t] < found.indptr[t + 1] and found.users[end[t]] < first_user + height:
                end[t] += ONE
            _count_pairs(found.users, begin[t], end[t], found.indptr[t + 1], low, width, table)
        for t in range(n_neighbors):
            span = (begin[t], end[t], found.indptr[t + 1])
            result.sums[t] = _add_terms(found, span, low, width, reciprocals, table, result.sums[t])
            if mixed:
                result.real_sums[t] = _add_real_terms(
                    found, span, low, width, reciprocals, table, result.real_sums[t]
                )
        _clear_table(found, begin, end, low, width, table[: height * n_users])
        for t in range(n_neighbors):
            begin[t] = end[t]
    if not mixed:
        result.real_sums[:n_neighbors] = result.sums[:n_neighbors]


@compiled
def _count_pairs(
    users: UInt32Array, begin: int, end: int, stop: int, low: int, n_users: int, table: UInt32Array
) -> None:
    """Add 1 to the cell of each pair of users, the first of whom is at `begin` to `end`, the second
    after it.
    """
    for first in range(begin, end):
        row = (users[first] - low) * n_users
        for other in range(first + ONE, stop):
            table[row + users[other]] += ONE


@compiled
def _clear_table(
    found: Occurrences,
    begin: UInt64Array,
    end: UInt64Array,
    low: int,
    n_users: int,
    table: UInt32Array,
) -> None:
    """Zero the cells of the band: all of them at once, or where few are in use, those alone."""
    pairs = 0
    for t in range(len(found.indptr) - 1):
        pairs += (end[t] - begin[t]) * (found.indptr[t + 1] - begin[t])
    if len(table) <= CELLS_CLEARED_PER_PAIR * pairs:
        table[:] = 0
        return
    for t in range(len(found.indptr) - 1):
        for first in range(begin[t], end[t]):
            row = (found.users[first] - low) * n_users
            for other in range(first + ONE, found.indptr[t + 1]):
                table[row + found.users[other]] = 0


@compiled
def _add_terms(
    found: Occurrences,
    span: tuple[int, int, int],
    low: int,
    n_users: int,
    reciprocals: Float64Array,
    table: UInt32Array,
    total: float,
) -> float:
    """A neighbour's sum, grown by its terms of this band."""
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
    reciprocals: Float64Array,
    table: UInt32Array,
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
