"""Users' lists: from rows with ids to ragged arrays of numbered edges, by one exchange and one compiled call a partition.

The sum behind a similarity depends on its order, so all that could order it is fixed by the rows themselves: users by a key
of their id, items by their number, and what a cap keeps by a hash of user, item and seed. Partitions and the order of rows
have no part in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.base.config import I2iConfig
from llm_i2i_spark.i2i.agreement import ITEM_SHIFT, SYNTHETIC
from llm_i2i_spark.i2i.numbering import Items, to_join

PARCELS = "keys binary, lengths binary, edges binary, weights binary"
"""A row is a parcel of some thousand lists, int32 unless said: per list a key and a length, then all edges (uint32), then the
weights of the synthetic ones (float64)."""

PARCEL_EDGES = 16_384
NO_CAP = 2**31 - 1
LAST = 2**31 - 1
"""In place of the position of a synthetic edge, which stands behind all others."""


def user_lists(rows: DataFrame, items: Items, settings: I2iConfig) -> DataFrame:
    """The lists of all users with at least two items.

    A repeated (user, item) counts once: the real row before a synthetic one, then the heavier. `max_items_per_user` keeps of
    a longer list the edges with the lowest numbers in a lottery.

    Args:
        rows: of the `fused` contract, of one variant.
        items: the numbers.
        settings: the cap; the backbone, for some of which the order of a list matters.

    Returns:
        Parcels of lists, columns as in `PARCELS`.
    """
    numbered = rows.join(to_join(items, "item_id", "item"), "item_id")
    synthetic = F.when(F.col("source") == "real", 0).otherwise(SYNTHETIC)
    columns: list[str | Column] = ["user_id", (F.shiftleft("item", ITEM_SHIFT) + synthetic).alias("edge"), "weight"]
    if settings.backbone == "transitions":
        columns.append(F.coalesce("position", F.lit(LAST)).alias("position"))
    most = settings.swing.max_items_per_user or NO_CAP
    return numbered.select(*columns).repartition("user_id").mapInArrow(partial(build_lists, lots=items.lots, most_items=most), PARCELS)


def build_lists(batches: Iterator[pa.RecordBatch], lots: npt.NDArray[np.int32], most_items: int) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: the rows of a partition's users to parcels of their lists."""
    from llm_i2i_spark.i2i.kernels.grouping import group_by_user, hash_texts
    from llm_i2i_spark.i2i.kernels.ragged import frozen
    from llm_i2i_spark.i2i.parcels import pack

    received = [batch for batch in batches if batch.num_rows]
    if not received:
        return
    table = pa.Table.from_batches(received).combine_chunks()
    received.clear()
    users = table["user_id"].chunk(0).dictionary_encode()
    names = users.dictionary.cast(pa.string())
    _, offsets, text = names.buffers()
    starts = np.frombuffer(offsets, np.int32, len(names) + 1, 4 * names.offset)
    keys = hash_texts(starts, np.frombuffer(text or b"", np.uint8))
    columns = {name: frozen(table[name].chunk(0).to_numpy()) for name in table.column_names if name != "user_id"}
    weights = columns["weight"] if (columns["edge"] & SYNTHETIC).any() else frozen(np.empty(0))
    positions = columns.get("position", frozen(np.empty(0, np.int32)))
    lists = group_by_user(users.indices.to_numpy(), keys, columns["edge"], weights, positions, lots, most_items)
    del table, users, columns  # the rows are not needed any more, and are most of the memory
    yield from pack(lists, PARCEL_EDGES)
