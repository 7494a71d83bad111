"""From users' lists to the blocks they touch: flat arrays in, flat arrays out, compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llm_i2i_spark.kernels.csr import (
    ITEM_SHIFT,
    NO_BLOCK,
    NO_LIMIT,
    Blocks,
    Ints,
    Longs,
    Places,
    Sizes,
    UserLists,
    compiled,
    draw_number,
)
from llm_i2i_spark.kernels.edge_format import CAPPED, SYNTHETIC


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
    """The edges, with the bit CAPPED where the user's number in the item's lottery is above the
    item's limit.

    Args:
        limits: by item number, of the hot ones a little above what the cap's lowest numbers stay
            under; 2^64 - 1 elsewhere.
    """
    edges: Places = lists.edges.copy()
    for user in range(len(lists.keys)):
        for place in range(lists.offsets[user], lists.offsets[user + 1]):
            item = edges[place] >> ITEM_SHIFT
            if (
                limits[item] != NO_LIMIT
                and draw_number(lists.keys[user], lots[item]) > limits[item]
            ):
                edges[place] |= CAPPED
    return edges


@compiled
def split_by_block(lists: UserLists, block_of: Blocks, blocks: int) -> BlockLists:
    """A copy of every list for each block that has one of its items, edges that a cap left out
    aside.

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
    list_place, edge_place, weight_place = (
        out.starts[:-1].copy(),
        out.edge_starts[:-1].copy(),
        out.weight_starts[:-1].copy(),
    )
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
                out.lists.weights[place : place + length] = lists.weights[
                    synthetic[user] : synthetic[user + 1]
                ]
                weight_place[block] += length
                out.lists.keys[list_place[block]] = lists.keys[user]
                list_place[block] += 1
                out.lists.offsets[list_place[block]] = edge_place[block]
