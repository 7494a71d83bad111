"""Ridge regression of a click on the clicks before it: sums of products, the closed form, and the
regression of one target on few sources.

Sums of products are kept in fixed point, in whole numbers of 2^-32, which add up to the same in any
order and however the clicks are divided.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llm_i2i_spark.kernels.arrays import Float64Array, Int32Array, Int64Array
from llm_i2i_spark.kernels.compiled import compiled
from llm_i2i_spark.kernels.top_k import allocate_top_k, select_top_k

UNIT = 2.0**-32
"""Of sums of products."""
SIMILARITY_UNIT = 2.0**-30
"""Of similarities: what a solver computes is off by 1e-14 or so, and ties must be ties."""
PANEL = 1024
"""Columns that are swept at a time."""


class PairSums(NamedTuple):
    """Sums of products, a row a distinct pair of items.

    Attributes:
        first: item index.
        second: item index.
        product: sum of products, in units of 2^-32.
        clicks: how many clicks are behind it.
    """

    first: Int32Array
    second: Int32Array
    product: Int64Array
    clicks: Int32Array


def sum_products(
    targets: Int32Array,
    lengths: Int32Array,
    sources: Int32Array,
    clicks: Float64Array,
    earlier: Float64Array,
    decay: float,
) -> tuple[PairSums, PairSums]:
    """The sums behind a regression: a click, of weight c, on item j is a row x of the clicks i
    before it, x_i = e_i decay^(age of i).

    Args:
        targets: (clicks,) item index of each click.
        lengths: (clicks,) how many earlier clicks stand before it.
        sources: (events,) item indices of those, oldest first, click by click.
        clicks: (clicks,) weight of each click.
        earlier: (events,) weight of each earlier click.
        decay: weight of an earlier click relative to the next later one.

    Returns:
        X'X, sum of c x_i x_k with i <= k, and X'Y, sum of c x_i by i and j.
    """
    click = np.repeat(np.arange(len(targets)), lengths)
    age = np.cumsum(lengths)[click] - 1 - np.arange(len(sources))
    longest = int(lengths.max(initial=0))
    x = earlier * (decay ** np.arange(longest, dtype=np.float64))[age]
    pairs, products = [], []
    for lag in range(longest):
        place = np.flatnonzero(click[: len(click) - lag] == click[lag:])
        one, other = sources[place], sources[place + lag]
        pairs.append(_keys(np.minimum(one, other), np.maximum(one, other)))
        products.append(_units(x[place] * x[place + lag] * clicks[click[place]]))
    none = np.zeros(0, np.int64)
    gram = _sum(np.concatenate([none, *pairs]), np.concatenate([none, *products]))
    return gram, _sum(_keys(sources, targets[click]), _units(x * clicks[click]))


def invert_in_place(matrix: Float64Array) -> None:
    """Replace a symmetric, positive definite matrix by its inverse, by the sweep operator (Beaton,
    ETS Research Bulletin RB-64-51, 1964) on panels of columns: n^3 multiplications and additions,
    and no second matrix.

    Args:
        matrix: [n, n]; the part above the diagonal is not read.
    """
    n = len(matrix)
    panels = [(start, min(start + PANEL, n)) for start in range(0, n, PANEL)]
    for start, end in panels:
        pivot = np.linalg.inv(_mirrored(matrix[start:end, start:end]))
        panel = np.concatenate([matrix[start:end, :start].T, matrix[end:, start:end]])
        swept = panel @ pivot
        left = panel[:start].T
        for first, last in panels:
            if (first, last) == (start, end):
                continue
            shift = 0 if first < start else end - start
            own = swept[first - shift : last - shift]
            width = min(start, last)
            matrix[first:last, :width] -= own @ left[:, :width]
            if first > start:
                matrix[first:last, end:last] -= own @ panel[start : last - shift].T
        matrix[start:end, :start] = swept[:start].T
        matrix[end:, start:end] = swept[start:]
        matrix[start:end, start:end] = -pivot
    np.negative(matrix, out=matrix)
    for start, end in panels:
        matrix[start:end, start:end] = _mirrored(matrix[start:end, start:end])
        matrix[start:end, end:] = matrix[end:, start:end].T


def _mirrored(matrix: Float64Array) -> Float64Array:
    """A symmetric matrix with this one's lower triangle."""
    lower = np.tril(matrix)
    return np.asarray(lower + np.tril(lower, -1).T)


@compiled
def best_targets(
    inverse: Float64Array,
    indptr: Int64Array,
    targets: Int32Array,
    products: Float64Array,
    clicks: Int32Array,
    first: int,
    last: int,
    top_k: int,
) -> tuple[Int32Array, Int32Array, Float64Array, Int32Array]:
    """The best targets of some sources, in B = inverse X'Y.

    Args:
        inverse: [n, n], symmetric.
        indptr: (n + 1,) source i has the next three arrays from indptr[i] to indptr[i + 1]: the
            rows of X'Y.
        targets: item indices.
        products: of X'Y.
        clicks: behind a product.
        first: the first source that is wanted.
        last: one after the last of them.
        top_k: most targets of a source.

    Returns:
        Source, target, B > 0, and clicks behind that pair in X'Y; best first for each source, equal
        values by target.
    """
    n = len(inverse)
    out = (last - first) * min(top_k, n)
    sources, found = np.empty(out, np.int32), np.empty(out, np.int32)
    values, support = np.empty(out), np.empty(out, np.int32)
    items = np.arange(n).astype(np.uint32)
    best = allocate_top_k(min(top_k, n))
    filled = 0
    for source in range(first, last):
        row, behind = np.zeros(n), np.zeros(n, np.int32)
        for other in range(n):
            weight = inverse[source, other]
            for place in range(indptr[other], indptr[other + 1]):
                row[targets[place]] += weight * products[place]
        for place in range(indptr[source], indptr[source + 1]):
            behind[targets[place]] = clicks[place]
        for target in range(n):
            row[target] = np.rint(row[target] / SIMILARITY_UNIT) * SIMILARITY_UNIT
        row[source] = 0.0
        for place in range(select_top_k(row, items, best)):
            if best.scores[place] <= 0.0:
                break
            target = best.positions[place]
            sources[filled], found[filled] = source, target
            values[filled], support[filled] = best.scores[place], behind[target]
            filled += 1
    return sources[:filled], found[:filled], values[:filled], support[:filled]


def solve_target(gram: Float64Array, products: Float64Array, ridge: float) -> Float64Array:
    """The coefficients of the regression of one target on some sources, (X'X + ridge I)^-1 X'y.

    Args:
        gram: [sources, sources] X'X.
        products: (sources,) X'y.
        ridge: added to the diagonal.

    Returns:
        (sources,) coefficients, in whole numbers of 2^-30.
    """
    solved = np.linalg.solve(gram + ridge * np.eye(len(gram)), products)
    return np.asarray(np.rint(solved / SIMILARITY_UNIT) * SIMILARITY_UNIT)


@compiled
def fill_gram(
    chosen: Int32Array,
    place: Int32Array,
    indptr: Int64Array,
    others: Int32Array,
    products: Float64Array,
) -> Float64Array:
    """X'X of some items, out of the rows of many.

    Args:
        chosen: (k,) the items, as positions in the rows.
        place: (rows,) working memory, -1 everywhere, before and after.
        indptr: (rows + 1,) row r has the next two arrays from indptr[r] to indptr[r + 1].
        others: the second item of a pair, as a position in the rows.
        products: of X'X; a pair stands once, in either row.

    Returns:
        [k, k], symmetric.
    """
    gram = np.zeros((len(chosen), len(chosen)))
    for position in range(len(chosen)):
        place[chosen[position]] = position
    for position in range(len(chosen)):
        for entry in range(indptr[chosen[position]], indptr[chosen[position] + 1]):
            other = place[others[entry]]
            if other >= 0:
                gram[position, other] = gram[other, position] = products[entry]
    for position in range(len(chosen)):
        place[chosen[position]] = -1
    return gram


def _units(products: Float64Array) -> Int64Array:
    return np.asarray(np.rint(products / UNIT).astype(np.int64))


def _keys(first: Int32Array, second: Int32Array) -> Int64Array:
    return np.asarray((first.astype(np.int64) << 32) | second)


def _sum(keys: Int64Array, products: Int64Array) -> PairSums:
    """Sums by key; whole numbers, so in any order."""
    distinct, place, clicks = np.unique(keys, return_inverse=True, return_counts=True)
    sums = np.zeros(len(distinct), np.int64)
    np.add.at(sums, place, products)
    first, second = (distinct >> 32).astype(np.int32), (distinct & 0xFFFFFFFF).astype(np.int32)
    return PairSums(first, second, sums, clicks.astype(np.int32))
