"""The log, read once: rows with ids to encoded batches of two million rows, in which a user's rows
are adjacent and items are positions in a dictionary.

A user is known by two hashes of the id, 96 bits together (xxHash64 and MurmurHash3): among 209
million users two share both with a probability of 3e-13. So no dictionary of users is needed, and
none of their ids goes further than this.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.kernels.arrays import run_starts
from llm_i2i_spark.kernels.edge_format import ITEM_SHIFT, SYNTHETIC, WEIGHTED

ARRAYS: dict[str, type[np.generic]] = {
    "users": np.int64,
    "keys": np.int32,
    "lengths": np.int32,
    "entries": np.uint32,
    "weights": np.float64,
    "positions": np.int32,
}
"""The columns of an encoded batch that are arrays as bytes.

By user, ascending: both hashes (`users` 64 bits, `keys` 32) and the number of rows. By row, users
in that order: `entries`, the position in `items` above the bits SYNTHETIC and WEIGHTED. By row with
the bit WEIGHTED: the weight. By row, where the backbone needs it: the position in the user's
sequence.
"""

ENCODED = ", ".join(
    ["items array<string>", "clicks array<int>", *(f"{name} binary" for name in ARRAYS)]
)
"""A row is an encoded batch: by item of its dictionary the id and the number of rows; `ARRAYS`."""

BATCH_ROWS = 1 << 21
LAST_POSITION = 2**31 - 1
"""Position of a synthetic row, which stands after all others."""


def encode_rows(rows: DataFrame, with_positions: bool) -> DataFrame:
    """Interactions as encoded batches, columns as in `ENCODED`.

    Args:
        rows: `user_id, item_id, weight, source`, and `position` where wanted.
        with_positions: whether the order of a user's interactions matters.
    """
    synthetic = F.col("source") != "real"
    columns: list[str | Column] = [
        F.xxhash64("user_id").alias("user"),
        F.hash("user_id").alias("key"),
        "item_id",
        F.when(synthetic | (F.col("weight") != 1.0), F.col("weight")).alias("weight"),
        synthetic.alias("synthetic"),
    ]
    if with_positions:
        columns.append(F.coalesce("position", F.lit(LAST_POSITION)).alias("position"))
    return rows.select(*columns).mapInArrow(encode_batches, ENCODED)


def encode_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: rows to encoded batches."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        if rows >= BATCH_ROWS:
            yield _encode(held)
            held, rows = [], 0
    if rows:
        yield _encode(held)


def _encode(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    rows = pa.Table.from_batches(batches).combine_chunks()
    items = rows["item_id"].chunk(0).dictionary_encode()  # codespell:ignore chunk
    users, keys, item_positions = (
        rows["user"].to_numpy(),
        rows["key"].to_numpy(),
        items.indices.to_numpy().astype(np.uint32),
    )
    order = np.argsort(users)
    users, keys = users[order], keys[order]
    starts = np.flatnonzero(run_starts(users, keys))
    weighted = rows["weight"].is_valid().to_numpy()[order]
    synthetic = rows["synthetic"].to_numpy()[order]
    bits = synthetic * np.uint32(SYNTHETIC) | weighted * np.uint32(WEIGHTED)
    arrays = {
        "users": users[starts],
        "keys": keys[starts],
        "lengths": np.diff(starts, append=len(users)).astype(np.int32),
        "entries": item_positions[order] << ITEM_SHIFT | bits,
        "weights": rows["weight"].to_numpy()[order[weighted]],
        "positions": (
            rows["position"].to_numpy()[order]
            if "position" in rows.column_names
            else np.empty(0, np.int32)
        ),
    }
    clicks = np.bincount(item_positions, minlength=len(items.dictionary)).astype(np.int32)
    columns = {"items": _as_one_row(items.dictionary), "clicks": _as_one_row(pa.array(clicks))}
    return pa.RecordBatch.from_pydict(
        columns | {name: pa.array([values.tobytes()]) for name, values in arrays.items()}
    )


def _as_one_row(values: pa.Array) -> pa.ListArray:
    """The array as the only value of a column."""
    return pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), values)
