"""Array types by name, and two operations that every runtime needs on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]
Int16Array = npt.NDArray[np.int16]
UInt16Array = npt.NDArray[np.uint16]
UInt32Array = npt.NDArray[np.uint32]
UInt64Array = npt.NDArray[np.uint64]
Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array itself, marked as not writable.

    numba compiles a function once for writable and once for read-only arrays. Arrays that come from
    Arrow are read-only, so all other kernel arguments of the same kind are made so too.
    """
    array.flags.writeable = False
    return array


def run_starts(*columns: npt.NDArray[Any]) -> BoolArray:
    """By row, whether any column differs from the row before; true for the first row.

    Args:
        columns: of one length, at least 1.
    """
    differs = np.ones(len(columns[0]), np.bool_)
    differs[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return differs
