"""The index that is measured on: a million items with 200 random neighbours each, in a lake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from deltalake import write_deltalake

from llm_i2i_spark.serving.rows import INDEX_SCHEMA, make_lists

ITEMS, LENGTH = 1_000_000, 200
ITEMS_A_BATCH = 2_000
SEED = 1


def item_id(number: int) -> str:
    """The id of an item: eight to twelve characters, not in the order of the numbers."""
    return f"i{number * 7_919}"


def write_lake(root: Path, items: int) -> Path:
    """Write a lake with the table `item_index`; gives the root back."""
    schema = pa.schema([("variant", pa.string()), ("backbone", pa.string()), *INDEX_SCHEMA])
    reader = pa.RecordBatchReader.from_batches(schema, _batches(items, schema))
    write_deltalake(str(root / "item_index"), reader)
    return root


def _batches(items: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    draw = np.random.default_rng(SEED)
    ids = pa.array([item_id(number) for number in range(items)])
    order = draw.permutation(items)
    for first in range(0, items, ITEMS_A_BATCH):
        ours = order[first : first + ITEMS_A_BATCH]
        entries = len(ours) * LENGTH
        scores = -np.sort(-draw.random((len(ours), LENGTH)), axis=1).ravel()
        neighbors = (
            ids.take(pa.array(draw.integers(0, items, entries))),
            pa.array(scores),
            pa.array(np.tile(np.arange(1, LENGTH + 1), len(ours)), pa.int32()),
            pa.array(draw.random(entries)),
        )
        lists = make_lists(ids.take(pa.array(ours)), np.arange(len(ours) + 1) * LENGTH, neighbors)
        names = [pa.array([name] * len(ours)) for name in ("real", "swing")]
        yield pa.RecordBatch.from_arrays([*names, *lists.columns], schema=schema)
