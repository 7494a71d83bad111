"""An index of any size with a row a neighbour, made without looking at a log."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.scale.logs import ITEMS_PER_GROUP

NEIGHBORS = 200
ITEMS_AT_A_TIME = 10_000


def write_index(path: Path, items: int, neighbors: int, seed: int) -> None:
    """Write (item_id, rank, neighbor_id, score): the items of the item's group in the log first,
    then any.

    Args:
        path: of the Parquet file.
        items: how many; their ids are numbers from 0.
        neighbors: of each item, fewer where there are not so many items.
        seed: of all draws.
    """
    draw = np.random.default_rng(seed)
    neighbors = min(neighbors, items - 1)
    inside = min(neighbors, ITEMS_PER_GROUP - 1)
    schema = pa.schema(
        [
            ("item_id", pa.string()),
            ("rank", pa.int32()),
            ("neighbor_id", pa.string()),
            ("score", pa.float64()),
        ]
    )
    with pq.ParquetWriter(path, schema) as writer:
        for first in range(0, items, ITEMS_AT_A_TIME):
            item = np.arange(first, min(first + ITEMS_AT_A_TIME, items))
            group = item - item % ITEMS_PER_GROUP
            near = group[:, np.newaxis] + np.arange(ITEMS_PER_GROUP)
            near = near[near != item[:, np.newaxis]].reshape(len(item), -1)
            near = draw.permuted(near, axis=1)[:, :inside] % items
            # Steps of one size from a random start meet no item twice.
            start = draw.integers(0, items, (len(item), 1))
            far = (start + np.arange(neighbors - inside) * 7919) % items
            neighbor = np.concatenate([near, far], axis=1)
            score = -np.sort(-draw.random(neighbor.shape), axis=1)
            columns = [
                pa.array(np.repeat(item, neighbors)).cast(pa.string()),
                pa.array(np.tile(np.arange(1, neighbors + 1, dtype=np.int32), len(item))),
                pa.array(neighbor.ravel()).cast(pa.string()),
                pa.array(score.ravel()),
            ]
            writer.write_table(pa.table(columns, schema=schema))
