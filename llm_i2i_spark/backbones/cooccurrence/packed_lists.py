"""The click matrix as Arrow: users' rows packed into Arrow rows of a few thousand users each, and
back without a copy.

The arrays travel as bytes: Spark copies a binary value whole, and an array of numbers one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llm_i2i_spark.kernels.arrays import Int64Array, read_only
from llm_i2i_spark.kernels.csr import UserCsr
from llm_i2i_spark.kernels.edge_format import WEIGHTED

PACKED = "keys binary, lengths binary, indices binary, data binary"
"""A packed list: rows of a `UserCsr` as bytes. Per user a key and a length (int32), then all edges
(uint32), then the weights of those with the bit WEIGHTED (float64)."""


def pack(csr: UserCsr, edges_per_row: int) -> Iterator[pa.RecordBatch]:
    """Packed lists of whole users with about so many edges each, one batch of them.

    Args:
        csr: the users.
        edges_per_row: a user with more is a packed list of their own.
    """
    if len(csr.keys) == 0:
        return
    cuts = np.unique(np.searchsorted(csr.indptr, np.arange(0, csr.indptr[-1], edges_per_row)))
    yield pack_slices(csr, np.append(cuts[cuts < len(csr.keys)], len(csr.keys)))


def pack_slices(csr: UserCsr, cuts: Int64Array) -> pa.RecordBatch:
    """One packed list for the users from each cut to the next, columns as in `PACKED`."""
    edge_cuts = csr.indptr[cuts]
    if len(csr.data):
        weighted = (csr.indices & WEIGHTED) != 0
        weighted_before = np.append(0, np.cumsum(weighted, dtype=np.int64))
        data_cuts = weighted_before[edge_cuts]
    else:
        data_cuts = np.zeros(len(cuts), np.int64)
    lengths = np.diff(csr.indptr).astype(np.int32)
    columns = {
        "keys": bytes_column(cuts, csr.keys),
        "lengths": bytes_column(cuts, lengths),
        "indices": bytes_column(edge_cuts, csr.indices),
        "data": bytes_column(data_cuts, csr.data),
    }
    return pa.RecordBatch.from_pydict(columns)


def unpack(batches: Iterable[pa.RecordBatch]) -> UserCsr | None:
    """All users of some batches of packed lists; None where there are none."""
    received = [batch for batch in batches if batch.num_rows]
    if not received:
        return None
    lengths = concat_values(received, "lengths", np.int32)
    indptr = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=indptr[1:])
    indices = concat_values(received, "indices", np.uint32)
    data = concat_values(received, "data", np.float64)
    return UserCsr(concat_values(received, "keys", np.int32), read_only(indptr), indices, data)


def bytes_column(cuts: Int64Array, numbers: npt.NDArray[Any]) -> pa.BinaryArray:
    """A column whose rows are the bytes of the numbers from a cut to the next."""
    offsets = (cuts * numbers.itemsize).astype(np.int32)
    return pa.BinaryArray.from_buffers(
        pa.binary(), len(cuts) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(numbers)]
    )


def concat_values(
    batches: list[pa.RecordBatch], name: str, kind: type[np.generic]
) -> npt.NDArray[Any]:
    """All numbers of a column of bytes, batch after batch."""
    parts = [values(batch, name, kind) for batch in batches]
    return read_only(parts[0] if len(parts) == 1 else np.concatenate(parts))


def values(batch: pa.RecordBatch, name: str, kind: type[np.generic]) -> npt.NDArray[Any]:
    """All numbers of a column of bytes, which are contiguous in its buffer."""
    column, number = batch.column(name), np.dtype(kind)
    _, ends, data = column.buffers()
    width = np.int64 if pa.types.is_large_binary(column.type) else np.int32
    first, last = np.frombuffer(ends, width)[[column.offset, column.offset + len(column)]]
    return (
        np.frombuffer(data, number, (last - first) // number.itemsize, first)
        if last > first
        else np.empty(0, number)
    )
