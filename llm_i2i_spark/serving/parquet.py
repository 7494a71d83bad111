"""An index as one Parquet file, a row a neighbour, for programs without Spark and Delta."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from llm_i2i_spark.base.exports import verify_export
from llm_i2i_spark.serving.base import Neighbor
from llm_i2i_spark.serving.files import FileExporter
from llm_i2i_spark.serving.rows import NEIGHBOR_SCHEMA, as_neighbor_rows


def parquet_neighbors(path: str | Path, item_id: str) -> list[Neighbor]:
    """The list of an item in an exported file, best first; empty where it has none. The whole file
    is compared with its manifest at every call: a server opens it with `Lookup.open` instead.

    Raises:
        DamagedFileError: the file is not what was exported.
    """
    verify_export(path)
    # One open file: a path would be opened anew for footer and rows, between which it may be
    # replaced.
    with pa.OSFile(str(path)) as file:
        found = pq.read_table(
            file, filters=[("item_id", "=", item_id)], page_checksum_verification=True
        )
    rows = found.sort_by("rank")
    return [
        Neighbor(item_id=row["neighbor_id"], score=row["score"], rank=row["rank"])
        for row in rows.to_pylist()
    ]


class ParquetExporter(FileExporter):
    """Columns item_id, rank, neighbor_id and score, by item (shorter ids first, then text) and
    rank.
    """

    form = "index.parquet"
    suffix = ".parquet"

    def write_file(self, batches: Iterable[pa.RecordBatch], path: Path) -> int:
        """Write a row group a batch."""
        rows = 0
        with pq.ParquetWriter(
            path, NEIGHBOR_SCHEMA, compression="zstd", write_page_checksum=True
        ) as writer:
            for batch in batches:
                neighbors = as_neighbor_rows(batch)
                writer.write_batch(neighbors)
                rows += neighbors.num_rows
        return rows

    def neighbors(self, item_id: str) -> list[Neighbor]:
        """The live list, read from the file."""
        return parquet_neighbors(self.path, item_id) if self.path.exists() else []
