"""One index as flat arrays in files that are mapped into memory: shared by all processes of a
machine, and no Python object an item.

A folder holds a file an array, little-endian, and `index.json`, which is written last: the origin
of the index, and length and CRC-32 of every file. They are compared at every opening, which reads
the files once (5 GB a second from the page cache). Ids are sorted (shorter ids first, then text),
so that an item's number orders it among equal scores; lists stand in the order in which they came.
"""

from __future__ import annotations

import json
import mmap
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from llm_i2i_spark.base.json_digest import json_digest
from llm_i2i_spark.serving.rows import make_lists

FORMAT = 2
MANIFEST = "index.json"
TYPES = {
    "id_bytes": "<u1",
    "id_indptr": "<i8",
    "list_start": "<i8",
    "list_end": "<i8",
    "neighbor": "<i4",
    "score": "<f8",
    "synthetic_share": "<f8",
}
ITEMS_AT_ONCE = 1_000


@dataclass(frozen=True)
class Origin:
    """Where an index comes from.

    Attributes:
        source: path or URI.
        variant: what it was made from; None where the source does not say.
        backbone: the item-to-item model; None where the source does not say.
        version: of the table `item_index` that was asked for; None where it is no table.
        run_id: of the run that wrote the lists; None where the source does not say.
    """

    source: str
    variant: str | None = None
    backbone: str | None = None
    version: int | None = None
    run_id: str | None = None


@dataclass(frozen=True)
class IndexArrays:
    """The arrays; an item's number is its position among the sorted ids.

    Attributes:
        id_bytes: UTF-8 of all ids, one after the other.
        id_indptr: (items + 1,) offsets into `id_bytes`.
        list_start: (items,) first entry of the item's list.
        list_end: (items,) entry behind its last one; equal to `list_start` where it has no list.
        neighbor: (entries,) item numbers, best first in each list.
        score: (entries,) scores.
        synthetic_share: (entries,) share of the score that synthetic interactions stand behind, NaN
            where it is not known; empty where `common_share` holds for all.
        common_share: the share of every entry where they are all alike; NaN where none is known.
        origin: where the index comes from.
    """

    id_bytes: NDArray[np.uint8]
    id_indptr: NDArray[np.int64]
    list_start: NDArray[np.int64]
    list_end: NDArray[np.int64]
    neighbor: NDArray[np.int32]
    score: NDArray[np.float64]
    synthetic_share: NDArray[np.float64]
    common_share: float
    origin: Origin

    @property
    def n_items(self) -> int:
        """Items with an id: those with a list and those that only stand in lists."""
        return len(self.list_start)

    def item_id(self, number: int) -> str:
        """The id of an item."""
        first, last = self.id_indptr[number], self.id_indptr[number + 1]
        return self.id_bytes[first:last].tobytes().decode()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The lists as rows of `rows.INDEX_SCHEMA`, by item; items without neighbours are left
        out.
        """
        ids = pa.LargeStringArray.from_buffers(
            self.n_items, pa.py_buffer(self.id_indptr), pa.py_buffer(self.id_bytes)
        )
        filled = np.flatnonzero(self.list_end > self.list_start)
        for first in range(0, len(filled), ITEMS_AT_ONCE):
            yield self._batch(ids, filled[first : first + ITEMS_AT_ONCE])

    def _batch(self, ids: pa.LargeStringArray, items: NDArray[np.int64]) -> pa.RecordBatch:
        lengths = self.list_end[items] - self.list_start[items]
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        position = np.arange(indptr[-1]) - np.repeat(indptr[:-1], lengths)
        entries = np.repeat(self.list_start[items], lengths) + position
        shares: Any = (
            self.synthetic_share[entries]
            if len(self.synthetic_share)
            else np.full(len(entries), self.common_share)
        )
        neighbors = (
            ids.take(pa.array(self.neighbor[entries])).cast(pa.string()),
            pa.array(self.score[entries]),
            pa.array(position + 1, pa.int32()),
            pa.array(shares, mask=np.isnan(shares)),
        )
        return make_lists(ids.take(pa.array(items)).cast(pa.string()), indptr, neighbors)


def open_arrays(folder: Path) -> IndexArrays | None:
    """The arrays of a folder, mapped; None where it holds none that are complete and as they were
    written.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        known = manifest["format"] == FORMAT and manifest["digest"] == manifest_digest(manifest)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not known:
        return None
    arrays = {name: _map(folder / name, kind) for name, kind in TYPES.items()}
    if {name: len(array) for name, array in arrays.items()} != manifest["lengths"]:
        return None
    if {name: zlib.crc32(array.data) for name, array in arrays.items()} != manifest["crc32"]:
        return None
    share = manifest["common_share"]
    return IndexArrays(
        **arrays,
        common_share=float("nan") if share is None else share,
        origin=Origin(**manifest["origin"]),
    )


def manifest_digest(manifest: Mapping[str, Any]) -> str:
    """Hex sha256 of all that a manifest says beside it."""
    content = {name: value for name, value in manifest.items() if name != "digest"}
    return json_digest(content)


def _map(path: Path, kind: str) -> NDArray[Any]:
    try:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # the file is not there, or empty
        array = np.empty(0, kind)
        array.flags.writeable = False
        return array
    return np.frombuffer(mapped, kind)
