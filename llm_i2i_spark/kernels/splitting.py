"""From users' rows to the item blocks they touch: flat arrays in, flat arrays out, compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llm_i2i_spark.kernels.arrays import Int64Array, UInt16Array
from llm_i2i_spark.kernels.compiled import compiled
from llm_i2i_spark.kernels.csr import ITEM_SHIFT, NO_BLOCK, UserCsr
from llm_i2i_spark.kernels.edge_format import CAPPED, WEIGHTED


class BlockRows(NamedTuple):
    """Users' rows in the order of the blocks they go to: block b owns rows row_starts[b] to
    row_starts[b + 1].

    Attributes:
        row_starts: (blocks + 1,) offsets into the rows of `csr`.
        entry_starts: (blocks + 1,) offsets into `csr.indices`.
        data_starts: (blocks + 1,) offsets into `csr.data`.
        csr: a user's row stands in it once for each block that it touches.
    """

    row_starts: Int64Array
    entry_starts: Int64Array
    data_starts: Int64Array
    csr: UserCsr


@compiled
def split_by_block(csr: UserCsr, block_of_item: UInt16Array, blocks: int) -> BlockRows:
    """A copy of every row for each block that has one of its items, entries with the bit CAPPED
    aside.

    Args:
        csr: the users.
        block_of_item: (items,) block of each item; NO_BLOCK where its row is not computed.
        blocks: how many there are.
    """
    sizes = np.zeros((3, blocks + 1), np.int64)
    last = np.full(blocks, -1, np.int64)
    data_starts = _data_starts(csr)
    for user in range(len(csr.keys)):
        begin, end = csr.indptr[user], csr.indptr[user + 1]
        for edge in csr.indices[begin:end]:
            block = block_of_item[edge >> ITEM_SHIFT]
            if block != NO_BLOCK and not edge & CAPPED and last[block] != user:
                last[block] = user
                sizes[0, block + 1] += 1
                sizes[1, block + 1] += end - begin
                sizes[2, block + 1] += data_starts[user + 1] - data_starts[user]
    for block in range(blocks):
        sizes[:, block + 1] += sizes[:, block]
    copied = UserCsr(
        np.empty(sizes[0, blocks], np.int32),
        np.zeros(sizes[0, blocks] + 1, np.int64),
        np.empty(sizes[1, blocks], np.uint32),
        np.empty(sizes[2, blocks]),
    )
    out = BlockRows(sizes[0], sizes[1], sizes[2], copied)
    _copy_rows(csr, block_of_item, data_starts, out)
    return out


@compiled
def _data_starts(csr: UserCsr) -> Int64Array:
    """(users + 1,) offsets of each user's weights in `csr.data`."""
    starts = np.zeros(len(csr.keys) + 1, np.int64)
    if len(csr.data):
        for user in range(len(csr.keys)):
            count = 0
            for edge in csr.indices[csr.indptr[user] : csr.indptr[user + 1]]:
                count += (edge & WEIGHTED) != 0
            starts[user + 1] = starts[user] + count
    return starts


@compiled
def _copy_rows(
    csr: UserCsr, block_of_item: UInt16Array, data_starts: Int64Array, out: BlockRows
) -> None:
    free_row, free_entry, free_data = (
        out.row_starts[:-1].copy(),
        out.entry_starts[:-1].copy(),
        out.data_starts[:-1].copy(),
    )
    last = np.full(len(free_row), -1, np.int64)
    for user in range(len(csr.keys)):
        begin, end = csr.indptr[user], csr.indptr[user + 1]
        for edge in csr.indices[begin:end]:
            block = block_of_item[edge >> ITEM_SHIFT]
            if block != NO_BLOCK and not edge & CAPPED and last[block] != user:
                last[block] = user
                first = free_entry[block]
                out.csr.indices[first : first + end - begin] = csr.indices[begin:end]
                free_entry[block] += end - begin
                first = free_data[block]
                length = data_starts[user + 1] - data_starts[user]
                out.csr.data[first : first + length] = csr.data[
                    data_starts[user] : data_starts[user + 1]
                ]
                free_data[block] += length
                out.csr.keys[free_row[block]] = csr.keys[user]
                free_row[block] += 1
                out.csr.indptr[free_row[block]] = free_entry[block]
