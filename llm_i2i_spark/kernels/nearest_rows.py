"""The nearest rows of a matrix by cosine, exact and the same to the bit on every machine.

Rows of unit length are rounded to whole numbers. A product of two such rows, and every partial sum
of it, is a whole number below 2^24, which float32 holds exactly, so no order of summation changes a
bit: neither the shape of a matrix product, nor the number of threads, nor the library behind it.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from llm_i2i_spark.kernels.arrays import (
    Float32Array,
    Int16Array,
    Int32Array,
    Int64Array,
    UInt32Array,
)
from llm_i2i_spark.kernels.compiled import compiled
from llm_i2i_spark.kernels.top_k import allocate_top_k, select_top_k


def length_of_rows(dims: int) -> int:
    """To which length rows are scaled before they are rounded: 4,088 at 256 dimensions.

    Rounding adds at most sqrt(dims) / 2 to a row's length, and by Cauchy and Schwarz no partial sum
    of a product of two rows exceeds the product of their lengths, which must stay below 2^24.

    Args:
        dims: numbers a row.
    """
    return int(2**12 - sqrt(dims) / 2)


def quantize(rows: Float32Array) -> Int16Array:
    """Rows scaled to `length_of_rows` and rounded. The cosine of two of them is off by 1e-4 or so
    (one standard deviation, whatever the number of dimensions).

    Args:
        rows: [n, dims], finite.

    Returns:
        [n, dims] int16; zeros for a row of zeros.
    """
    wide = rows.astype(np.float64)
    lengths = np.sqrt((wide * wide).sum(axis=1, keepdims=True))
    unit = np.divide(wide, lengths, out=np.zeros_like(wide), where=lengths > 0)
    return np.asarray(np.rint(unit * length_of_rows(rows.shape[1])).astype(np.int16))


def nearest_rows(
    matrix: Float32Array, first: int, last: int, top_k: int, least: float
) -> tuple[Int32Array, Int32Array, NDArray[np.float64]]:
    """The nearest rows of some rows of a matrix.

    Args:
        matrix: [n, dims], of `quantize`, as float32.
        first: the first of the rows in question.
        last: one after the last of them.
        top_k: most neighbours of a row.
        least: cosine that a neighbour must exceed, at least 0.

    Returns:
        Row, neighbour, and cosine (at most 1) of each pair, by row, nearest first, of equal cosines
        the lower row first. A row is not its own neighbour.
    """
    scores = matrix[first:last] @ matrix.T
    scores[np.arange(last - first), np.arange(first, last)] = -1.0
    square = float(length_of_rows(matrix.shape[1])) ** 2
    rows = np.arange(len(matrix), dtype=np.uint32)
    counts, neighbors, products = best_of_rows(
        scores, rows, min(top_k, len(matrix)), least * square
    )
    row = np.repeat(np.arange(first, last, dtype=np.int32), counts)
    # Rounding may lengthen a row, so that twins come out a little above 1.
    return row, neighbors, np.minimum(products.astype(np.float64) / square, 1.0)


def nearest_among(
    queries: Float32Array, matrix: Float32Array, top_k: int, excluded: tuple[Int64Array, Int64Array]
) -> tuple[Int32Array, Int32Array, NDArray[np.float64]]:
    """The rows of a matrix that are nearest to some others.

    Args:
        queries: [m, dims], of `quantize`, as float32.
        matrix: [n, dims], likewise.
        top_k: rows that each query gets, fewer where the matrix has no more.
        excluded: query and row of the pairs that do not count.

    Returns:
        Query, row and cosine (-1 to 1) of each pair, by query, nearest first, of equal cosines the
        lower row first.
    """
    scores = queries @ matrix.T
    scores[excluded] = -np.inf
    square = float(length_of_rows(matrix.shape[1])) ** 2
    rows = np.arange(len(matrix), dtype=np.uint32)
    counts, found, products = best_of_rows(scores, rows, min(top_k, len(matrix)), -np.inf)
    query = np.repeat(np.arange(len(queries), dtype=np.int32), counts)
    return query, found, np.clip(products.astype(np.float64) / square, -1.0, 1.0)


@compiled
def best_of_rows(
    scores: Float32Array, rows: UInt32Array, top_k: int, least: float
) -> tuple[Int32Array, Int32Array, Float32Array]:
    """The best columns of each row of scores.

    Args:
        scores: [m, n].
        rows: (n,) what the columns are called.
        top_k: most columns of a row.
        least: score that a column must exceed.

    Returns:
        How many each row has; the columns, row after row, best first, of equal scores the lower
        one first; their scores.
    """
    counts = np.zeros(len(scores), np.int32)
    neighbors = np.empty(len(scores) * top_k, np.int32)
    found = np.empty(len(scores) * top_k, np.float32)
    best = allocate_top_k(top_k)
    filled = 0
    for row in range(len(scores)):
        for place in range(select_top_k(scores[row], rows, best)):
            if best.scores[place] <= least:
                break
            neighbors[filled] = best.positions[place]
            found[filled] = best.scores[place]
            counts[row] += 1
            filled += 1
    return counts, neighbors[:filled], found[:filled]
