"""The index as one Parquet file, a row a neighbour, for programs that know neither Spark nor Delta."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from llm_i2i_spark.index.transform import one_index

ITEMS_A_BATCH = 1_000
SCHEMA = pa.schema(
    [
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("rank", pa.int32(), nullable=False),
        pa.field("neighbor_id", pa.string(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
    ]
)


def export_file(index: DataFrame, path: str | Path, variant: str, backbone: str) -> int:
    """Write `item_id, rank, neighbor_id, score`, by item (shorter ids first, then text) and rank.

    Rows are streamed through this process a few thousand items at a time; the file appears under
    its name only when it is whole.

    Args:
        index: rows of the `item_index` contract.
        path: the file; one that exists is replaced.

    Returns:
        The number of rows.

    Raises:
        UserError: the index has no list of this variant and backbone.
        OSError: the folder cannot be made or written.
    """
    columns = [F.col(f"neighbors.{field}").alias(field) for field in ("rank", "score")]
    lists = one_index(index, variant, backbone).select(
        "item_id", F.col("neighbors.item_id").alias("neighbor_id"), *columns
    )
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    written = 0
    try:
        with pq.ParquetWriter(unfinished, SCHEMA, compression="zstd") as writer:
            for batch in _batches(lists.orderBy(F.length("item_id"), "item_id").toLocalIterator()):
                writer.write_batch(batch)
                written += batch.num_rows
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
    return written


def _batches(lists: Iterator[Row]) -> Iterator[pa.RecordBatch]:
    while rows := list(islice(lists, ITEMS_A_BATCH)):
        yield _batch(rows)


def _batch(rows: Sequence[Row]) -> pa.RecordBatch:
    columns = {
        name: list(chain.from_iterable(row[name] for row in rows))
        for name in ("rank", "neighbor_id", "score")
    }
    columns["item_id"] = [row["item_id"] for row in rows for _ in row["rank"]]
    return pa.RecordBatch.from_pydict({field.name: columns[field.name] for field in SCHEMA}, SCHEMA)
