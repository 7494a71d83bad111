"""Item ids as one run of bytes, sorted, and the search in it: no Python object an id.

The order is that of ties in a ranking: shorter ids first (by code points), then by UTF-8 bytes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llm_i2i_spark.kernels.arrays import Int64Array
from llm_i2i_spark.kernels.compiled import compiled

Bytes = NDArray[np.uint8]


@compiled
def find_ids(
    wanted: Bytes, wanted_indptr: Int64Array, ids: Bytes, ids_indptr: Int64Array
) -> Int64Array:
    """The position of every wanted id among sorted ids, by binary search; -1 where it is not there.

    Args:
        wanted: UTF-8 bytes of the wanted ids, one after the other.
        wanted_indptr: (wanted + 1,) offsets into `wanted`.
        ids: UTF-8 bytes of the sorted ids.
        ids_indptr: (ids + 1,) offsets into `ids`.
    """
    found = np.empty(len(wanted_indptr) - 1, np.int64)
    for position in range(len(found)):
        first, last = wanted_indptr[position], wanted_indptr[position + 1]
        length = _code_points(wanted, first, last)
        low, high = 0, len(ids_indptr) - 1
        while low < high:
            middle = (low + high) // 2
            if _precedes(ids, ids_indptr, middle, wanted, first, last, length):
                low = middle + 1
            else:
                high = middle
        found[position] = -1
        if low < len(ids_indptr) - 1 and np.array_equal(
            ids[ids_indptr[low] : ids_indptr[low + 1]], wanted[first:last]
        ):
            found[position] = low
    return found


@compiled
def _code_points(text: Bytes, first: int, last: int) -> int:
    """How many characters the bytes `first:last` encode: all bytes but those that continue one."""
    count = 0
    for place in range(first, last):
        if text[place] & 0xC0 != 0x80:
            count += 1
    return count


@compiled
def _precedes(
    ids: Bytes,
    indptr: Int64Array,
    position: int,
    wanted: Bytes,
    first: int,
    last: int,
    length: int,
) -> bool:
    """Whether an id stands before the wanted one."""
    start, end = indptr[position], indptr[position + 1]
    own = _code_points(ids, start, end)
    if own != length:
        return bool(own < length)
    for step in range(min(end - start, last - first)):
        if ids[start + step] != wanted[first + step]:
            return bool(ids[start + step] < wanted[first + step])
    return bool(end - start < last - first)
