"""Flat arrays to Arrow lists and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from llm_i2i_spark.kernels.arrays import Int64Array


def ranges(starts: Int64Array, lengths: Int64Array) -> Int64Array:
    """The numbers from each start on, as many as its length, one after the other."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(lengths.sum())


def lists_of(values: NDArray[Any], lengths: NDArray[Any]) -> pa.ListArray:
    """Values one after the other as lists of some lengths."""
    offsets = np.r_[0, np.cumsum(lengths)].astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))
