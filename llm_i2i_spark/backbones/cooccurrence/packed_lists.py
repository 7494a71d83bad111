"""Lists as Arrow: ragged arrays to rows of a few thousand lists each, and back without a copy.

The arrays travel as bytes: Spark copies a binary value whole, and an array of numbers one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llm_i2i_spark.kernels.csr import UserLists, read_only
from llm_i2i_spark.kernels.edge_format import SYNTHETIC


def pack(lists: UserLists, edges_a_parcel: int) -> Iterator[pa.RecordBatch]:
    """Parcels of whole lists with about so many edges each, one batch of them.

    Args:
        lists: ragged.
        edges_a_parcel: a longer list is a parcel of its own.
    """
    if len(lists.keys) == 0:
        return
    cuts = np.unique(
        np.searchsorted(lists.offsets, np.arange(0, lists.offsets[-1], edges_a_parcel))
    )
    yield parcels(lists, np.append(cuts[cuts < len(lists.keys)], len(lists.keys)))


def parcels(lists: UserLists, cuts: npt.NDArray[np.int64]) -> pa.RecordBatch:
    """One row for each run of lists from a cut to the next: columns as in `lists.PARCELS`."""
    edge_cuts = lists.offsets[cuts]
    if len(lists.weights):
        before = np.append(0, np.cumsum(lists.edges & SYNTHETIC, dtype=np.int64))
        weight_cuts = before[edge_cuts]
    else:
        weight_cuts = np.zeros(len(cuts), np.int64)
    lengths = np.diff(lists.offsets).astype(np.int32)
    columns = {
        "keys": nested(cuts, lists.keys),
        "lengths": nested(cuts, lengths),
        "edges": nested(edge_cuts, lists.edges),
        "weights": nested(weight_cuts, lists.weights),
    }
    return pa.RecordBatch.from_pydict(columns)


def unpack(batches: Iterable[pa.RecordBatch]) -> UserLists | None:
    """All lists of some batches of parcels as one ragged structure; None where there are none."""
    received = [batch for batch in batches if batch.num_rows]
    if not received:
        return None
    lengths = flat(received, "lengths", np.int32)
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    edges, weights = flat(received, "edges", np.uint32), flat(received, "weights", np.float64)
    return UserLists(flat(received, "keys", np.int32), read_only(offsets), edges, weights)


def nested(cuts: npt.NDArray[np.int64], numbers: npt.NDArray[Any]) -> pa.BinaryArray:
    """A column whose rows are the bytes of the numbers from a cut to the next."""
    offsets = (cuts * numbers.itemsize).astype(np.int32)
    return pa.BinaryArray.from_buffers(
        pa.binary(), len(cuts) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(numbers)]
    )


def flat(batches: list[pa.RecordBatch], name: str, kind: type[np.generic]) -> npt.NDArray[Any]:
    """All numbers of a column of bytes, batch behind batch."""
    parts = [values(batch, name, kind) for batch in batches]
    return read_only(parts[0] if len(parts) == 1 else np.concatenate(parts))


def values(batch: pa.RecordBatch, name: str, kind: type[np.generic]) -> npt.NDArray[Any]:
    """All numbers of a column of bytes, which lie one behind the other in its buffer."""
    column, number = batch.column(name), np.dtype(kind)
    _, ends, data = column.buffers()
    width = np.int64 if pa.types.is_large_binary(column.type) else np.int32
    first, last = np.frombuffer(ends, width)[[column.offset, column.offset + len(column)]]
    return (
        np.frombuffer(data, number, (last - first) // number.itemsize, first)
        if last > first
        else np.empty(0, number)
    )
