"""An index as JSON lines, an item a line, as key-value stores and search engines load in bulk."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from llm_i2i_spark.base.exports import verify_export
from llm_i2i_spark.serving.base import Neighbor, as_neighbors
from llm_i2i_spark.serving.files import FileExporter
from llm_i2i_spark.serving.rows import flat_lists


def json_neighbors(path: str | Path, item_id: str) -> list[Neighbor]:
    """The list of an item in an exported file, best first; empty where it has none. Reads the file
    from its start, and compares it with its manifest first.

    Raises:
        DamagedFileError: the file is not what was exported.
    """
    verify_export(path)
    start = _line(item_id, [])[: -len("]}\n")]
    with Path(path).open("rb") as lines:
        for line in lines:
            if line.startswith(start):
                found: list[Neighbor] = json.loads(line)["neighbors"]
                return found
    return []


class JsonLinesExporter(FileExporter):
    """Lines `{"item_id": "A", "neighbors": [{"item_id": "B", "score": 0.5, "rank": 1}, ...]}`, by
    item (shorter ids first, then text).
    """

    form = "index.jsonl"
    suffix = ".jsonl"

    def write_file(self, batches: Iterable[pa.RecordBatch], path: Path) -> int:
        """Write a line an item."""
        rows = 0
        with path.open("wb") as file:
            for batch in batches:
                for item, ids, scores in flat_lists(batch):
                    file.write(_line(item, as_neighbors(ids, scores)))
                    rows += len(ids)
        return rows

    def neighbors(self, item_id: str) -> list[Neighbor]:
        """The live list, read from the file."""
        return json_neighbors(self.path, item_id) if self.path.exists() else []


def _line(item_id: str, neighbors: list[Neighbor]) -> bytes:
    values = {"item_id": item_id, "neighbors": neighbors}
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode() + b"\n"
