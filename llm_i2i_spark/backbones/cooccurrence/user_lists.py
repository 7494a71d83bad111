"""From encoded batches to the click matrix with users in rows, by one exchange of bytes and one
compiled call a partition.

The sum behind a similarity depends on its order, so all that could order it is fixed by the rows
themselves: users by a key of their id, items by their index, and what a cap keeps by a hash of
user, item and seed. Partitions and the order of rows have no part in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from llm_i2i_spark.backbones.cooccurrence.encoded_batches import ARRAYS
from llm_i2i_spark.backbones.cooccurrence.item_ids import ItemIds, dictionary_hashes
from llm_i2i_spark.backbones.cooccurrence.packed_lists import PACKED
from llm_i2i_spark.kernels.arrays import Int32Array, Int64Array, UInt32Array, run_starts
from llm_i2i_spark.kernels.edge_format import ITEM_BITS, ITEM_SHIFT, NO_CAP, WEIGHTED

SLICES = f"partition int, users binary, {PACKED}, positions binary"
"""A partition slice: the rows of an encoded batch whose users belong to one partition, as a packed
list, with the users' 64-bit hashes and, where the backbone needs them, the positions (int32).
"""

EDGES_PER_ROW = 16_384
PARTITION_ROWS = 2_000_000
LEAST_ROWS = 100_000
"""A partition of users has at most about the first, and less than the second only where there are
no more rows.
"""


@dataclass(frozen=True)
class Dictionary:
    """What a task needs to find the index of an item.

    Attributes:
        id_hashes: (items,) 64-bit hashes of the ids, ascending.
        index_of_hash: (items,) the item index of each.
    """

    id_hashes: Int64Array
    index_of_hash: UInt32Array


def count_partitions(items: ItemIds, cores: int) -> int:
    """How many partitions of users: small enough for a task's memory, enough for all cores."""
    rows = int(items.clicks.sum())
    return max(math.ceil(rows / PARTITION_ROWS), min(cores, math.ceil(rows / LEAST_ROWS)), 1)


def build_user_lists(
    encoded: DataFrame, items: ItemIds, max_items_per_user: int | None, partitions: int
) -> DataFrame:
    """The rows of all users with at least two items.

    A repeated (user, item) counts once: the real row before a synthetic one, then the heavier.

    Args:
        encoded: from `encode_rows`.
        items: the ids.
        max_items_per_user: of longer rows the edges with the lowest sampling hashes are kept; None
            for no cap.
        partitions: of users; the rows are the same for any number.

    Returns:
        Packed lists, columns as in `PACKED`.
    """
    from llm_i2i_spark.lake.grouped_map import map_each

    hashed = encoded.select(dictionary_hashes("items", items.seed).alias("id_hashes"), *ARRAYS)
    dictionary = Dictionary(items.id_hashes, items.index_of_hash)
    slices = hashed.mapInArrow(
        partial(slice_batches, dictionary=dictionary, partitions=partitions), SLICES
    )
    group = partial(
        group_slices, item_hashes=items.hashes, max_items_per_user=max_items_per_user or NO_CAP
    )
    return map_each(slices, "partition", partitions, group, PACKED)


def slice_batches(
    batches: Iterator[pa.RecordBatch], dictionary: Dictionary, partitions: int
) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: encoded batches to partition slices, items by index."""
    for batch in batches:
        for position in range(batch.num_rows):
            yield _slice(batch.slice(position, 1), dictionary, partitions)


def _slice(encoded: pa.RecordBatch, dictionary: Dictionary, partitions: int) -> pa.RecordBatch:
    from llm_i2i_spark.backbones.cooccurrence.packed_lists import (
        bytes_column,
        pack_slices,
        values,
    )
    from llm_i2i_spark.kernels.csr import UserCsr

    users, keys, lengths, entries, weights, positions = (
        values(encoded, name, kind) for name, kind in ARRAYS.items()
    )
    id_hashes = encoded.column("id_hashes").flatten().to_numpy()
    order = np.argsort(id_hashes)  # looked up in ascending order they meet the same cache lines
    index = np.empty(len(id_hashes), np.uint32)
    index[order] = dictionary.index_of_hash[np.searchsorted(dictionary.id_hashes, id_hashes[order])]
    edges = index[entries >> ITEM_SHIFT] << ITEM_SHIFT | entries & ITEM_BITS
    indptr = np.append(0, np.cumsum(lengths, dtype=np.int64))
    lowest = np.array(
        [-(2**63) + part * 2**64 // partitions for part in range(partitions)], np.int64
    )
    cuts = np.append(np.searchsorted(users, lowest), len(users))
    present = np.flatnonzero(np.diff(cuts)).astype(np.int32)
    cuts = np.append(cuts[present], len(users))
    rows = pack_slices(UserCsr(keys, indptr, edges, weights), cuts)
    hashes = {"partition": pa.array(present), "users": bytes_column(cuts, users)}
    position_cuts = indptr[cuts] if len(positions) else np.zeros(len(cuts), np.int64)
    columns = (
        hashes
        | dict(zip(rows.schema.names, rows.columns, strict=True))
        | {"positions": bytes_column(position_cuts, positions)}
    )
    return pa.RecordBatch.from_pydict(columns)


def group_slices(
    batches: Iterator[pa.RecordBatch], item_hashes: Int32Array, max_items_per_user: int
) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: the slices of one partition to packed lists of its users."""
    from llm_i2i_spark.backbones.cooccurrence.packed_lists import concat_values, pack, unpack
    from llm_i2i_spark.kernels.grouping import Interactions, group_by_user

    received = [batch for batch in batches if batch.num_rows]
    slices = unpack(received)
    if slices is None:
        return
    users, keys = _number_users(concat_values(received, "users", np.int64), slices.keys)
    positions = concat_values(received, "positions", np.int32)
    received.clear()
    weights = slices.data
    if len(weights):
        weights = np.ones(len(slices.indices))
        weights[(slices.indices & WEIGHTED).astype(np.bool_)] = slices.data
    rows = Interactions(
        np.repeat(users, np.diff(slices.indptr)), slices.indices, weights, positions
    )
    del slices
    yield from pack(group_by_user(rows, keys, item_hashes, max_items_per_user), EDGES_PER_ROW)


def _number_users(users: Int64Array, keys: Int32Array) -> tuple[UInt32Array, Int32Array]:
    """The number of each slice row's user, equal where both hashes are, and the key of each
    number.
    """
    order = np.argsort(users)
    if (run_starts(keys[order]) & ~run_starts(users[order])).any():  # two ids share 64 bits
        order = np.lexsort((keys, users))
    new = run_starts(users[order], keys[order])
    numbers = np.empty(len(users), np.uint32)
    numbers[order] = np.cumsum(new) - 1
    return numbers, keys[order][new]
