"""Random numbers by counter instead of by state: the n-th number of a stream is computed without
the ones before it, so that any part of a data set can be made alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Int64Array = npt.NDArray[np.int64]
UInt64Array = npt.NDArray[np.uint64]
Float64Array = npt.NDArray[np.float64]

STREAMS = 64
"""Streams of one seed."""
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def uniform(
    seed: int, stream: int, first: Int64Array, second: Int64Array | int = 0
) -> Float64Array:
    """Uniform numbers in [0, 1), one for each pair of counters, by SplitMix64's mixing function
    (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).

    Args:
        seed: of all streams.
        stream: from 0 to 63; numbers of different streams are independent.
        first: counters of any shape.
        second: further counters of the same shape, or one for all.
    """
    key = np.full(1, np.uint64((seed * STREAMS + stream + 1) % 2**64))
    state = _mix(first.astype(np.uint64) * _GOLDEN + _mix(key * _GOLDEN))
    state = _mix(state + np.asarray(second).astype(np.uint64) * _GOLDEN)
    numbers: Float64Array = (state >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return numbers


def geometric(uniform_numbers: Float64Array, mean: float) -> Int64Array:
    """Numbers from 0 with P(n) ~ q^n of the given mean, by inversion of uniform numbers."""
    quotient = np.log(mean / (1 + mean))
    numbers: Int64Array = np.floor(np.log1p(-uniform_numbers) / quotient).astype(np.int64)
    return numbers


def _mix(counters: UInt64Array) -> UInt64Array:
    state: UInt64Array = (counters ^ (counters >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    return state
