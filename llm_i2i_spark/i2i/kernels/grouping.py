"""From rows to users' lists, and from lists to the blocks they touch: flat arrays in, flat arrays out, compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from llm_i2i_spark.i2i.agreement import CAPPED, SYNTHETIC
from llm_i2i_spark.i2i.kernels.ragged import (
    ITEM_SHIFT,
    NO_BLOCK,
    NO_LIMIT,
    Blocks,
    Doubles,
    Ints,
    Longs,
    Places,
    Sizes,
    UserLists,
    compiled,
    draw_number,
    lowest_places,
)

SHORT_LIST = 48
"""Up to so many rows insertion is faster than any other sort."""

FNV_OFFSET = np.uint64(0xCBF29CE484222325)
FNV_PRIME = np.uint64(0x100000001B3)


@compiled
def hash_texts(offsets: npt.NDArray[np.int32], data: npt.NDArray[np.uint8]) -> Ints:
    """A 32-bit key of each text: FNV-1a of its bytes, folded (Fowler, Noll, Vo; RFC 9923).

    Args:
        offsets: text t is data[offsets[t] : offsets[t + 1]], as in an Arrow string array.
    """
    keys = np.empty(len(offsets) - 1, np.int32)
    for t in range(len(keys)):
        value = FNV_OFFSET
        for place in range(offsets[t], offsets[t + 1]):
            value = (value ^ np.uint64(data[place])) * FNV_PRIME
        keys[t] = np.int32((value ^ (value >> np.uint64(32))) & np.uint64(0xFFFFFFFF))
    return keys


@compiled
def group_by_user(users: Ints, keys: Ints, edges: Ints, weights: Doubles, positions: Ints, lots: Ints, most_items: int) -> UserLists:
    """The lists of the users of some rows, each (user, item) once: the real row before a synthetic one, then the heavier, the earlier.

    Args:
        users: by row, an index into `keys`.
        keys: by user.
        edges: by row.
        weights: by row; empty where every edge is real.
        positions: by row, the place in the user's sequence; empty where lists are wanted by item number.
        lots: by item number, for the lottery of long lists.
        most_items: edges kept of a longer list, those with the lowest numbers in the lottery.

    Returns:
        Lists of two edges or more.
    """
    starts = np.zeros(len(keys) + 1, np.int64)
    for user in users:
        starts[user + 1] += 1
    for user in range(len(keys)):
        starts[user + 1] += starts[user]
    free = starts[:-1].copy()
    rows = Rows(np.empty(len(users), np.uint32), np.empty(len(weights)), np.empty(len(positions), np.int32))
    for row in range(len(users)):
        place = free[users[row]]
        rows.edges[place] = edges[row]
        if len(weights):
            rows.weights[place] = weights[row]
        if len(positions):
            rows.positions[place] = positions[row]
        free[users[row]] += 1
    kept_keys, offsets = np.empty(len(keys), np.int32), np.zeros(len(keys) + 1, np.int64)
    n_lists, n_edges = 0, 0
    for user in range(len(keys)):
        _sort_rows(rows, starts[user], starts[user + 1], False)
        end = _drop_repeated(rows, starts[user], starts[user + 1])
        if end - starts[user] > most_items:
            end = _draw_rows(rows, starts[user], end, keys[user], lots, most_items)
        if end - starts[user] < 2:
            continue
        if len(positions):
            _sort_rows(rows, starts[user], end, True)
        for place in range(starts[user], end):
            _copy_row(rows, place, n_edges)
            n_edges += 1
        kept_keys[n_lists] = keys[user]
        n_lists += 1
        offsets[n_lists] = n_edges
    kept_weights = np.empty(len(weights))
    n_weights = 0
    if len(weights):
        for place in range(n_edges):
            if rows.edges[place] & SYNTHETIC:
                kept_weights[n_weights] = rows.weights[place]
                n_weights += 1
    return UserLists(kept_keys[:n_lists], offsets[: n_lists + 1], rows.edges[:n_edges], kept_weights[:n_weights])


class Rows(NamedTuple):
    """Rows by user; weights and positions are empty where they do not matter."""

    edges: Places
    weights: Doubles
    positions: Ints


@compiled
def _copy_row(rows: Rows, source: int, target: int) -> None:
    rows.edges[target] = rows.edges[source]
    if len(rows.weights):
        rows.weights[target] = rows.weights[source]
    if len(rows.positions):
        rows.positions[target] = rows.positions[source]


@compiled
def _sort_rows(rows: Rows, begin: int, end: int, by_position: bool) -> None:
    """Sort a user's rows in place: by edge, the heavier first, then the earlier; or by position, then by edge."""
    if end - begin > SHORT_LIST:
        for parent in range((end - begin) // 2 - 1, -1, -1):
            _sift_down(rows, begin, parent, end - begin, by_position)
        for last in range(end - begin - 1, 0, -1):
            _swap_rows(rows, begin, begin + last)
            _sift_down(rows, begin, 0, last, by_position)
        return
    for place in range(begin + 1, end):
        while place > begin and _comes_first(rows, place, place - 1, by_position):
            _swap_rows(rows, place, place - 1)
            place -= 1


@compiled
def _sift_down(rows: Rows, begin: int, parent: int, size: int, by_position: bool) -> None:
    """Restore the heap, whose top is the row that comes last."""
    while 2 * parent + 1 < size:
        child = 2 * parent + 1
        if child + 1 < size and _comes_first(rows, begin + child, begin + child + 1, by_position):
            child += 1
        if not _comes_first(rows, begin + parent, begin + child, by_position):
            return
        _swap_rows(rows, begin + parent, begin + child)
        parent = child


@compiled
def _comes_first(rows: Rows, left: int, right: int, by_position: bool) -> bool:
    if by_position and rows.positions[left] != rows.positions[right]:
        return bool(rows.positions[left] < rows.positions[right])
    if rows.edges[left] != rows.edges[right]:
        return bool(rows.edges[left] < rows.edges[right])
    if len(rows.weights) > 0 and rows.weights[left] != rows.weights[right]:
        return bool(rows.weights[left] > rows.weights[right])
    return bool(len(rows.positions) > 0 and rows.positions[left] < rows.positions[right])


@compiled
def _swap_rows(rows: Rows, left: int, right: int) -> None:
    rows.edges[left], rows.edges[right] = rows.edges[right], rows.edges[left]
    if len(rows.weights):
        rows.weights[left], rows.weights[right] = rows.weights[right], rows.weights[left]
    if len(rows.positions):
        rows.positions[left], rows.positions[right] = rows.positions[right], rows.positions[left]


@compiled
def _drop_repeated(rows: Rows, begin: int, end: int) -> int:
    """Keep the first of an item's rows, which are sorted: a real one, else the heaviest. Returns the new end."""
    kept = begin
    for place in range(begin, end):
        if kept == begin or rows.edges[kept - 1] >> ITEM_SHIFT != rows.edges[place] >> ITEM_SHIFT:
            _copy_row(rows, place, kept)
            kept += 1
    return kept


@compiled
def _draw_rows(rows: Rows, begin: int, end: int, key: int, lots: Ints, most: int) -> int:
    """Keep the rows with the lowest numbers in the lottery, in their order. Returns the new end."""
    numbers = np.empty(end - begin, np.uint64)
    for place in range(begin, end):
        numbers[place - begin] = draw_number(key, lots[rows.edges[place] >> ITEM_SHIFT])
    drawn = lowest_places(numbers, most)
    for place in range(most):
        _copy_row(rows, begin + drawn[place], begin + place)
    return begin + most


class BlockLists(NamedTuple):
    """Lists in the order of the blocks they go to: block b owns lists starts[b] to starts[b + 1].

    Attributes:
        edge_starts: of each block in `lists.edges`.
        weight_starts: of each block in `lists.weights`.
    """

    starts: Longs
    edge_starts: Longs
    weight_starts: Longs
    lists: UserLists


@compiled
def cap_edges(lists: UserLists, lots: Ints, limits: Sizes) -> Places:
    """The edges, with the bit CAPPED where the user's number in the item's lottery is above the item's limit.

    Args:
        limits: by item number, of the hot ones a little above what the cap's lowest numbers stay under; 2^64 - 1 elsewhere.
    """
    edges: Places = lists.edges.copy()
    for user in range(len(lists.keys)):
        for place in range(lists.offsets[user], lists.offsets[user + 1]):
            item = edges[place] >> ITEM_SHIFT
            if limits[item] != NO_LIMIT and draw_number(lists.keys[user], lots[item]) > limits[item]:
                edges[place] |= CAPPED
    return edges


@compiled
def split_by_block(lists: UserLists, block_of: Blocks, blocks: int) -> BlockLists:
    """A copy of every list for each block that has one of its items, edges that a cap left out aside.

    Args:
        block_of: the block of each item, by number; NO_BLOCK where its row is not wanted.
        blocks: how many there are.
    """
    sizes = np.zeros((3, blocks + 1), np.int64)
    last = np.full(blocks, -1, np.int64)
    synthetic = _count_synthetic(lists)
    for user in range(len(lists.keys)):
        begin, end = lists.offsets[user], lists.offsets[user + 1]
        for edge in lists.edges[begin:end]:
            block = block_of[edge >> ITEM_SHIFT]
            if block != NO_BLOCK and not edge & CAPPED and last[block] != user:
                last[block] = user
                sizes[0, block + 1] += 1
                sizes[1, block + 1] += end - begin
                sizes[2, block + 1] += synthetic[user + 1] - synthetic[user]
    for block in range(blocks):
        sizes[:, block + 1] += sizes[:, block]
    shipped = UserLists(
        np.empty(sizes[0, blocks], np.int32),
        np.zeros(sizes[0, blocks] + 1, np.int64),
        np.empty(sizes[1, blocks], np.uint32),
        np.empty(sizes[2, blocks]),
    )
    out = BlockLists(sizes[0], sizes[1], sizes[2], shipped)
    _copy_lists(lists, block_of, synthetic, out)
    return out


@compiled
def _count_synthetic(lists: UserLists) -> Longs:
    """How many weights stand before each list's own."""
    before = np.zeros(len(lists.keys) + 1, np.int64)
    if len(lists.weights):
        for user in range(len(lists.keys)):
            count = 0
            for edge in lists.edges[lists.offsets[user] : lists.offsets[user + 1]]:
                count += edge & SYNTHETIC
            before[user + 1] = before[user] + count
    return before


@compiled
def _copy_lists(lists: UserLists, block_of: Blocks, synthetic: Longs, out: BlockLists) -> None:
    list_place, edge_place, weight_place = out.starts[:-1].copy(), out.edge_starts[:-1].copy(), out.weight_starts[:-1].copy()
    last = np.full(len(list_place), -1, np.int64)
    for user in range(len(lists.keys)):
        begin, end = lists.offsets[user], lists.offsets[user + 1]
        for edge in lists.edges[begin:end]:
            block = block_of[edge >> ITEM_SHIFT]
            if block != NO_BLOCK and not edge & CAPPED and last[block] != user:
                last[block] = user
                place = edge_place[block]
                out.lists.edges[place : place + end - begin] = lists.edges[begin:end]
                edge_place[block] += end - begin
                place = weight_place[block]
                length = synthetic[user + 1] - synthetic[user]
                out.lists.weights[place : place + length] = lists.weights[synthetic[user] : synthetic[user + 1]]
                weight_place[block] += length
                out.lists.keys[list_place[block]] = lists.keys[user]
                list_place[block] += 1
                out.lists.offsets[list_place[block]] = edge_place[block]
