"""Users' lists: from chunks to ragged arrays of numbered edges, by one exchange of bytes and one
compiled call a partition.

The sum behind a similarity depends on its order, so all that could order it is fixed by the rows
themselves: users by a key of their id, items by their number, and what a cap keeps by a hash of
user, item and seed. Partitions and the order of rows have no part in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame

from llm_i2i_spark.backbones.cooccurrence.encoded_batches import NUMBERS, changes
from llm_i2i_spark.backbones.cooccurrence.item_ids import Items, item_hashes
from llm_i2i_spark.config.i2i import I2iConfig
from llm_i2i_spark.kernels.edge_format import ITEM_SHIFT, PLACE_SHIFT, SYNTHETIC

PARCELS = "keys binary, lengths binary, edges binary, weights binary"
"""A row is a parcel of some thousand lists, int32 unless said: per list a key and a length, then
all edges (uint32), then the weights of the synthetic ones (float64)."""

PIECES = f"part int, users binary, {PARCELS}, positions binary"
"""A row is what a chunk has of the users of one partition: as a parcel, and the users' other hash
(int64).
"""

PARCEL_EDGES = 16_384
PART_ROWS = 2_000_000
LEAST_ROWS = 100_000
"""A partition of users has at most about the first, and less than the second only where there are
no more rows.
"""
NO_CAP = 2**31 - 1


@dataclass(frozen=True)
class Dictionary:
    """What a task needs to number items: their hashes, ascending, and the numbers in that order."""

    hashes: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.uint32]


def user_parts(items: Items, cores: int) -> int:
    """How many partitions of users: small enough for a task's memory, enough of them for all cores."""
    rows = int(items.clicks.sum())
    return max(math.ceil(rows / PART_ROWS), min(cores, math.ceil(rows / LEAST_ROWS)), 1)


def user_lists(chunks: DataFrame, items: Items, settings: I2iConfig, parts: int) -> DataFrame:
    """The lists of all users with at least two items.

    A repeated (user, item) counts once: the real row before a synthetic one, then the heavier.
    `max_items_per_user` keeps of a longer list the edges with the lowest numbers in a lottery.

    Args:
        chunks: of one variant, from `encode_rows`.
        items: the numbers.
        settings: the cap.
        parts: partitions of users; the lists are the same for any number.

    Returns:
        Parcels of lists, columns as in `PARCELS`.
    """
    hashed = chunks.select(item_hashes("items", items.seed).alias("hashes"), *NUMBERS)
    pieces = hashed.mapInArrow(
        partial(number_chunks, dictionary=Dictionary(items.hashes, items.by_hash), parts=parts),
        PIECES,
    )
    most = settings.swing.max_items_per_user or NO_CAP
    return pieces.repartitionById(parts, "part").mapInArrow(
        partial(build_lists, lots=items.lots, most_items=most), PARCELS
    )


def number_chunks(
    batches: Iterator[pa.RecordBatch], dictionary: Dictionary, parts: int
) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: the rows of each chunk, items numbered, cut by the partition
    of their users.
    """
    for batch in batches:
        for place in range(batch.num_rows):
            yield _number(batch.slice(place, 1), dictionary, parts)


def _number(chunk: pa.RecordBatch, dictionary: Dictionary, parts: int) -> pa.RecordBatch:
    from llm_i2i_spark.backbones.cooccurrence.packed_lists import nested, parcels, values
    from llm_i2i_spark.kernels.csr import UserLists

    users, keys, lengths, places, weights, positions = (
        values(chunk, name, kind) for name, kind in NUMBERS.items()
    )
    hashes = chunk.column("hashes").flatten().to_numpy()
    order = np.argsort(hashes)  # looked up in ascending order they meet the same cache lines
    numbers = np.empty(len(hashes), np.uint32)
    numbers[order] = dictionary.numbers[np.searchsorted(dictionary.hashes, hashes[order])]
    edges = numbers[places >> PLACE_SHIFT] << ITEM_SHIFT | places & SYNTHETIC
    offsets = np.append(0, np.cumsum(lengths, dtype=np.int64))
    lowest = np.array([-(2**63) + part * 2**64 // parts for part in range(parts)], np.int64)
    cuts = np.append(np.searchsorted(users, lowest), len(users))
    present = np.flatnonzero(np.diff(cuts)).astype(np.int32)
    cuts = np.append(cuts[present], len(users))
    rows = parcels(UserLists(keys, offsets, edges, weights), cuts)
    beside = {"part": pa.array(present), "users": nested(cuts, users)}
    at_rows = offsets[cuts] if len(positions) else np.zeros(len(cuts), np.int64)
    columns = (
        beside
        | dict(zip(rows.schema.names, rows.columns, strict=True))
        | {"positions": nested(at_rows, positions)}
    )
    return pa.RecordBatch.from_pydict(columns)


def build_lists(
    batches: Iterator[pa.RecordBatch], lots: npt.NDArray[np.int32], most_items: int
) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: the rows of a partition's users to parcels of their lists."""
    from llm_i2i_spark.backbones.cooccurrence.packed_lists import flat, pack, unpack
    from llm_i2i_spark.kernels.grouping import Rows, group_by_user

    received = [batch for batch in batches if batch.num_rows]
    pieces = unpack(received)
    if pieces is None:
        return
    users, keys = _same_users(flat(received, "users", np.int64), pieces.keys)
    positions = flat(received, "positions", np.int32)
    received.clear()
    weights = pieces.weights
    if len(weights):
        weights = np.ones(len(pieces.edges))
        weights[(pieces.edges & SYNTHETIC).astype(np.bool_)] = pieces.weights
    rows = Rows(np.repeat(users, np.diff(pieces.offsets)), pieces.edges, weights, positions)
    del pieces
    yield from pack(group_by_user(rows, keys, lots, most_items), PARCEL_EDGES)


def _same_users(
    users: npt.NDArray[np.int64], keys: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int32]]:
    """The number of each piece's user, equal where both hashes are, and the key of each number."""
    order = np.argsort(users)
    if (changes(keys[order]) & ~changes(users[order])).any():  # two ids share the longer hash
        order = np.lexsort((keys, users))
    new = changes(users[order], keys[order])
    numbers = np.empty(len(users), np.uint32)
    numbers[order] = np.cumsum(new) - 1
    return numbers, keys[order][new]
