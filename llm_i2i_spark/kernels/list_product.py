"""Rows of the product of two sparse matrices whose rows are short lists of items."""

from __future__ import annotations

import numpy as np

from llm_i2i_spark.kernels.arrays import Float64Array, Int32Array, Int64Array, run_starts
from llm_i2i_spark.kernels.compiled import compiled


def sum_lists(
    rows: Int32Array,
    weights: Float64Array,
    indptr: Int64Array,
    neighbors: Int32Array,
    values: Float64Array,
    top_k: int,
) -> tuple[Int32Array, Int64Array, Int32Array, Float64Array]:
    """The weighted sum of some lists for each row, without the row's own item, its best `top_k`
    scaled to sum 1.

    Sums run in the order of the lists, so that equal input gives equal bits.

    Args:
        rows: (lists,) the item whose row a list is added to, equal ones next to each other.
        weights: (lists,) of each list.
        indptr: (lists + 1,) offsets into `neighbors` and `values`.
        neighbors: (entries,) item indices.
        values: (entries,) above 0.
        top_k: longest row.

    Returns:
        items: (n,) those of `rows`, each once.
        indptr: (n + 1,) offsets into the next two.
        neighbors: item indices, best first, equal values by index.
        values: their sums, scaled.
    """
    starts = np.flatnonzero(run_starts(rows)) if len(rows) else np.zeros(0, np.int64)
    bounds = np.r_[starts, len(rows)].astype(np.int64)
    size = int(max(neighbors.max(initial=-1), rows.max(initial=-1))) + 1
    lengths, found, sums = _sum(
        rows, bounds, weights, indptr, neighbors, values, np.zeros(size), top_k
    )
    return rows[starts], np.r_[0, np.cumsum(lengths)].astype(np.int64), found, sums


@compiled
def _sum(
    rows: Int32Array,
    bounds: Int64Array,
    weights: Float64Array,
    indptr: Int64Array,
    neighbors: Int32Array,
    values: Float64Array,
    sums: Float64Array,
    top_k: int,
) -> tuple[Int64Array, Int32Array, Float64Array]:
    n = len(bounds) - 1
    lengths = np.zeros(n, np.int64)
    found = np.empty(n * top_k, np.int32)
    best = np.empty(n * top_k, np.float64)
    touched = np.empty(len(sums), np.int32)
    written = 0
    for r in range(n):
        count = 0
        own = rows[bounds[r]]
        for one in range(bounds[r], bounds[r + 1]):
            for entry in range(indptr[one], indptr[one + 1]):
                item = neighbors[entry]
                if item == own:
                    continue
                if sums[item] == 0.0:
                    touched[count] = item
                    count += 1
                sums[item] += weights[one] * values[entry]
        items = np.sort(touched[:count])
        scores = sums[items]
        kept = np.argsort(-scores, kind="mergesort")[:top_k]
        total = 0.0
        for place in kept:
            total += scores[place]
        for place in kept:
            found[written] = items[place]
            best[written] = scores[place] / total
            written += 1
        lengths[r] = len(kept)
        for item in items:
            sums[item] = 0.0
    return lengths, found[:written], best[:written]
