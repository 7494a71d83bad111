"""The log, read once: rows with ids to chunks of two million, whose users lie together and whose
items are places in a dictionary.

A user is known by two hashes of the id, 96 bits together (xxHash64 and MurmurHash3): among 209
million users two share both with a probability of 3e-13. So no dictionary of users is needed, and
none of their ids goes further than this.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.config.i2i import I2iConfig
from llm_i2i_spark.kernels.edge_format import PLACE_SHIFT, SYNTHETIC

NUMBERS: dict[str, type[np.generic]] = {
    "users": np.int64,
    "keys": np.int32,
    "lengths": np.int32,
    "places": np.uint32,
    "weights": np.float64,
    "positions": np.int32,
}
"""The columns of a chunk that are bytes: by user, ascending, both hashes and rows; by row, users in
that order, the place in `items` above the bit SYNTHETIC; by synthetic row, the weight; by row,
where the backbone needs it, the position."""

CHUNKS = ", ".join(
    ["items array<string>", "clicks array<int>", *(f"{name} binary" for name in NUMBERS)]
)
"""A row is a chunk: by item of its dictionary the id and the rows, and `NUMBERS`."""

CHUNK_ROWS = 1 << 21
LAST = 2**31 - 1
"""In place of the position of a synthetic row, which stands behind all others."""


def encode_rows(rows: DataFrame, settings: I2iConfig) -> DataFrame:
    """The rows of a variant as chunks, columns as in `CHUNKS`.

    Args:
        rows: of the `fused` contract, of one variant.
        settings: the backbone, for some of which the order of a list matters.
    """
    proposed = F.when(F.col("source") != "real", F.col("weight")).alias("weight")
    columns: list[str | Column] = [
        F.xxhash64("user_id").alias("user"),
        F.hash("user_id").alias("key"),
        "item_id",
        proposed,
    ]
    if settings.backbone == "transitions":
        columns.append(F.coalesce("position", F.lit(LAST)).alias("position"))
    return rows.select(*columns).mapInArrow(encode_batches, CHUNKS)


def encode_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: rows to chunks."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        if rows >= CHUNK_ROWS:
            yield _encode(held)
            held, rows = [], 0
    if rows:
        yield _encode(held)


def _encode(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    rows = pa.Table.from_batches(batches).combine_chunks()
    items = rows["item_id"].chunk(0).dictionary_encode()
    users, keys, places = (
        rows["user"].to_numpy(),
        rows["key"].to_numpy(),
        items.indices.to_numpy().astype(np.uint32),
    )
    order = np.argsort(users)
    users, keys = users[order], keys[order]
    starts = np.flatnonzero(changes(users, keys))
    proposed = rows["weight"].is_valid().to_numpy()[order]
    by_user = {
        "users": users[starts],
        "keys": keys[starts],
        "lengths": np.diff(starts, append=len(users)).astype(np.int32),
        "places": places[order] << PLACE_SHIFT | proposed * np.uint32(SYNTHETIC),
        "weights": rows["weight"].to_numpy()[order[proposed]],
        "positions": (
            rows["position"].to_numpy()[order]
            if "position" in rows.column_names
            else np.empty(0, np.int32)
        ),
    }
    clicks = np.bincount(places, minlength=len(items.dictionary)).astype(np.int32)
    columns = {"items": _one(items.dictionary), "clicks": _one(pa.array(clicks))}
    return pa.RecordBatch.from_pydict(
        columns | {name: pa.array([values.tobytes()]) for name, values in by_user.items()}
    )


def changes(*columns: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """By row, whether it differs from the one before it; the first does. There is at least one row."""
    differs = np.ones(len(columns[0]), np.bool_)
    differs[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return differs


def _one(values: pa.Array) -> pa.ListArray:
    """The array as the only value of a column."""
    return pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), values)
