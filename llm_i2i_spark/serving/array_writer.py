"""Writing `index_arrays`: one pass over the rows, in any order of items."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.base.files import flush
from llm_i2i_spark.serving.index_arrays import FORMAT, MANIFEST, TYPES, Origin, manifest_digest
from llm_i2i_spark.serving.rows import id_order

ENTRIES_AT_ONCE = 1 << 22
ENTRY_ARRAYS = ("neighbor", "score", "synthetic_share")


def write_arrays(batches: Iterable[pa.RecordBatch], folder: Path, origin: Origin) -> None:
    """Write an index as arrays into an empty folder.

    Ids are numbered as they are met and renumbered in their order at the end; entries go to disk as
    they come, so that memory holds the ids alone.

    Args:
        batches: rows of `rows.INDEX_SCHEMA`.
        folder: where the files go.
        origin: of the index.

    Raises:
        InputDataError: an item has two rows.
    """
    with ExitStack() as stack:
        files = {name: stack.enter_context((folder / name).open("wb")) for name in ENTRY_ARRAYS}
        writer = _Writer(files)
        for block in _blocks(batches):
            writer.add(block)
    order, number = id_order(writer.ids)
    _renumber(folder / "neighbor", number)
    if not writer.mixed_shares:
        (folder / "synthetic_share").write_bytes(b"")
    start, end = writer.bounds(len(order))
    lists = {"list_start": start[order], "list_end": end[order]}
    arrays = {**_text(writer.ids.take(pa.array(order))), **lists}
    for name, array in arrays.items():
        array.astype(TYPES[name], copy=False).tofile(folder / name)
    _write_manifest(folder, writer.common_share, origin)


def _text(ids: pa.LargeStringArray) -> dict[str, NDArray[Any]]:
    """The bytes of ids and where each begins."""
    lengths = pc.binary_length(ids).to_numpy()
    content = ids.buffers()[2]
    return {
        "id_bytes": np.frombuffer(content if content is not None else b"", "<u1"),
        "id_indptr": np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
    }


def _write_manifest(folder: Path, common_share: float | None, origin: Origin) -> None:
    """Flush all arrays to disk, then say that they are complete."""
    lengths, sums = {}, {}
    for name, kind in TYPES.items():
        flush(folder / name)
        lengths[name] = (folder / name).stat().st_size // np.dtype(kind).itemsize
        sums[name] = _crc32(folder / name)
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "lengths": lengths,
        "crc32": sums,
        "common_share": common_share,
        "origin": asdict(origin),
    }
    manifest["digest"] = manifest_digest(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest, sort_keys=True), encoding="utf-8")
    flush(folder / MANIFEST)


def _crc32(path: Path) -> int:
    value = 0
    with path.open("rb") as file:
        while content := file.read(1 << 20):
            value = zlib.crc32(content, value)
    return value


def _blocks(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of at least `ENTRIES_AT_ONCE` neighbours, but for the last."""
    kept: list[pa.RecordBatch] = []
    entries = 0
    for batch in batches:
        kept.append(batch)
        entries += len(batch.column("neighbors").flatten())
        if entries >= ENTRIES_AT_ONCE:
            yield pa.concat_batches(kept)
            kept, entries = [], 0
    if kept:
        yield pa.concat_batches(kept)


class _Writer:
    """Entries go to files, ids and the bounds of lists stay in memory."""

    def __init__(self, files: Mapping[str, BinaryIO]) -> None:
        self.ids = pa.array([], pa.large_string())  # as they were met
        self._files = files
        self._items: list[NDArray[np.int64]] = []
        self._lengths: list[NDArray[np.int64]] = []
        self._shares: set[float | None] = set()

    @property
    def mixed_shares(self) -> bool:
        """Whether entries differ in their synthetic share."""
        return len(self._shares) > 1

    @property
    def common_share(self) -> float | None:
        """The share of all entries where they do not differ; None where no share is known."""
        return next(iter(self._shares)) if len(self._shares) == 1 else None

    def add(self, batch: pa.RecordBatch) -> None:
        """Append the lists of a batch."""
        lists = batch.column("neighbors")
        entries = lists.flatten()
        items = batch.column("item_id")
        numbers = self._number(pa.concat_arrays([items, entries.field("item_id")]))
        self._items.append(numbers[: len(items)].astype(np.int64))
        self._lengths.append(np.diff(lists.offsets.to_numpy()).astype(np.int64))
        numbers[len(items) :].astype("<i4").tofile(self._files["neighbor"])
        scores = entries.field("score").to_numpy(zero_copy_only=False)
        scores.astype("<f8").tofile(self._files["score"])
        shares = entries.field("synthetic_share")
        if shares.null_count:
            self._shares.add(None)
        if shares.null_count < len(shares):
            self._shares.update(pc.min_max(shares).as_py().values())
        shares.to_numpy(zero_copy_only=False).astype("<f8").tofile(self._files["synthetic_share"])

    def _number(self, texts: pa.Array) -> NDArray[np.int32]:
        """The numbers of some ids; new ones get the next numbers."""
        texts = texts.cast(pa.large_string())
        codes = pc.index_in(texts, value_set=self.ids)
        new = texts.filter(pc.is_null(codes)).dictionary_encode()
        numbers: NDArray[np.int32] = codes.fill_null(-1).to_numpy(zero_copy_only=False).copy()
        numbers[numbers < 0] = new.indices.to_numpy() + len(self.ids)
        self.ids = pa.concat_arrays([self.ids, new.dictionary])
        return numbers

    def bounds(self, n_items: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Start and end of every item's list, by the number it was met under."""
        items = np.concatenate([np.empty(0, np.int64), *self._items])
        lengths = np.concatenate([np.empty(0, np.int64), *self._lengths])
        rows = np.bincount(items, minlength=1)
        if rows.max() > 1:
            repeated = self.ids[int(np.argmax(rows))].as_py()
            raise InputDataError(
                f"The index has more than one list of item {repeated!r}; keep a row an item, or"
                " for a Parquet file of neighbours all rows of an item next to each other."
            )
        ends = np.cumsum(lengths)
        start, end = np.zeros(n_items, np.int64), np.zeros(n_items, np.int64)
        start[items], end[items] = ends - lengths, ends
        return start, end


def _renumber(path: Path, number: NDArray[np.int32]) -> None:
    """Replace every number in a file by the one that an id has in the end."""
    if path.stat().st_size == 0:
        return
    neighbor = np.memmap(path, "<i4", "r+")
    for first in range(0, len(neighbor), ENTRIES_AT_ONCE):
        part = neighbor[first : first + ENTRIES_AT_ONCE]
        part[:] = number[part]
    neighbor.flush()
