"""The best of many scored items, and the rows that every kernel returns."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from llm_i2i_spark.kernels.arrays import Float64Array, Int32Array, UInt32Array, UInt64Array
from llm_i2i_spark.kernels.compiled import compiled
from llm_i2i_spark.kernels.csr import ONE, ItemCsr, UserCsr
from llm_i2i_spark.kernels.edge_format import ROUNDING

SHORT_LIST = 24
"""Up to so many are selected by insertion, more by a heap."""


class Neighbors(NamedTuple):
    """Item similarities: one row a neighbour, grouped by item, best first.

    Attributes:
        item: item index.
        neighbor: item index of the neighbour.
        similarity: above 0.
        support: users behind the similarity.
        synthetic_share: share of the similarity that is gone without synthetic edges, in [0, 1].
    """

    item: Int32Array
    neighbor: Int32Array
    similarity: Float64Array
    support: Int32Array
    synthetic_share: Float64Array


class TopK(NamedTuple):
    """Working memory of `select_top_k`: as long as items are wanted. Allocated once a block.

    Attributes:
        positions: of the selected items in the array of scores.
        scores: theirs.
    """

    positions: UInt32Array
    scores: Float64Array


@compiled
def allocate_top_k(k: int) -> TopK:
    """Working memory for the best k."""
    return TopK(np.empty(k, np.uint32), np.empty(k))


@compiled
def allocate_neighbors(csr: UserCsr, items: ItemCsr, top_k: int, least_support: int) -> Neighbors:
    """Arrays long enough for all rows of a block.

    Args:
        csr: the users.
        items: the users that each row sums over.
        top_k: most neighbours of an item.
        least_support: users that every neighbour shares with the item at least.
    """
    capacity = 0
    for t in range(len(items.items)):
        reach = 0
        for user in items.indices[items.indptr[t] : items.indptr[t + 1]]:
            reach += csr.indptr[user + 1] - csr.indptr[user] - 1
        capacity += min(top_k, reach // least_support)
    return Neighbors(
        np.empty(capacity, np.int32),
        np.empty(capacity, np.int32),
        np.empty(capacity),
        np.empty(capacity, np.int32),
        np.empty(capacity),
    )


@compiled
def first_rows(rows: Neighbors, n: int) -> Neighbors:
    """The first n rows."""
    return Neighbors(
        rows.item[:n],
        rows.neighbor[:n],
        rows.similarity[:n],
        rows.support[:n],
        rows.synthetic_share[:n],
    )


@compiled
def append_best(
    out: Neighbors,
    rows: int,
    item: int,
    neighbors: UInt32Array,
    indptr: UInt64Array,
    sums: Float64Array,
    real_sums: Float64Array,
    best: TopK,
) -> int:
    """Append an item's best neighbours to `out` after its first `rows` rows.

    Args:
        out: from `allocate_neighbors`.
        rows: how many are filled.
        item: item index.
        neighbors: item indices; the next three arrays are theirs.
        indptr: neighbor t has indptr[t + 1] - indptr[t] users behind it.
        sums: the similarities; they are rounded in place to 42 significant bits (relative error at
            most 2^-42), so that sums which are equal in exact arithmetic tie, and the item index
            decides.
        real_sums: the same sums without synthetic edges.
        best: working memory, as long as neighbours are wanted.

    Returns:
        The new number of filled rows.
    """
    for t in range(len(neighbors)):
        sums[t] = _rounded(sums[t])
    for position in range(select_top_k(sums, neighbors, best)):
        t = best.positions[position]
        if sums[t] <= 0.0:
            break  # weights so small that their product is not a number above 0
        out.item[rows] = item
        out.neighbor[rows] = neighbors[t]
        out.similarity[rows] = sums[t]
        out.support[rows] = indptr[t + 1] - indptr[t]
        out.synthetic_share[rows] = min(max(1.0 - _rounded(real_sums[t]) / sums[t], 0.0), 1.0)
        rows += 1
    return rows


@compiled
def _rounded(x: float) -> float:
    scaled = x * ROUNDING
    return scaled - (scaled - x)


@compiled
def select_top_k(scores: Float64Array, items: Any, best: TopK) -> int:
    """Select the highest scores, highest first, the lower item where scores are equal.

    Args:
        scores: by position, no NaN; may be longer than `items`.
        items: by position, distinct integers of any type.
        best: the result; as long as items are wanted.

    Returns:
        How many were selected.
    """
    if len(best.positions) == 0:
        return 0
    if len(best.positions) <= SHORT_LIST:
        return _select_by_insertion(scores, items, best)
    return _select_by_heap(scores, items, best)


@compiled
def _select_by_insertion(scores: Float64Array, items: Any, best: TopK) -> int:
    """For a handful of items three times as fast as the heap."""
    filled = 0
    for position in range(len(items)):
        if filled < len(best.positions):
            filled += 1
        elif not _is_worse(best, items, filled - 1, position, scores[position]):
            continue
        free = filled - 1
        while free > 0 and _is_worse(best, items, free - 1, position, scores[position]):
            best.positions[free], best.scores[free] = (
                best.positions[free - 1],
                best.scores[free - 1],
            )
            free -= 1
        best.positions[free], best.scores[free] = position, scores[position]
    return filled


@compiled
def _select_by_heap(scores: Float64Array, items: Any, best: TopK) -> int:
    """The worst of the selected is on top of the heap."""
    size = min(len(best.positions), len(items))
    for position in range(size):
        best.positions[position], best.scores[position] = position, scores[position]
    for parent in range(size // 2 - 1, -1, -1):
        _sift_down(best, items, np.uint64(parent), np.uint64(size))
    for position in range(size, len(items)):
        if _is_worse(best, items, 0, position, scores[position]):
            best.positions[0], best.scores[0] = position, scores[position]
            _sift_down(best, items, np.uint64(0), np.uint64(size))
    for end in range(size - 1, 0, -1):
        best.positions[0], best.positions[end] = best.positions[end], best.positions[0]
        best.scores[0], best.scores[end] = best.scores[end], best.scores[0]
        _sift_down(best, items, np.uint64(0), np.uint64(end))
    return size


@compiled
def _sift_down(best: TopK, items: Any, parent: int, size: int) -> None:
    position, score = best.positions[parent], best.scores[parent]
    child = ONE + parent + parent
    while child < size:
        if child + ONE < size and _is_worse(
            best, items, child + ONE, best.positions[child], best.scores[child]
        ):
            child += ONE
        if not _is_worse(best, items, child, position, score):
            break
        best.positions[parent], best.scores[parent] = best.positions[child], best.scores[child]
        parent = child
        child = ONE + parent + parent
    best.positions[parent], best.scores[parent] = position, score


@compiled
def _is_worse(best: TopK, items: Any, node: int, position: int, score: float) -> bool:
    """Whether a selected item ranks after another: by lower score, of equal ones by larger item."""
    if best.scores[node] == score:
        return bool(items[best.positions[node]] > items[position])
    return bool(best.scores[node] < score)
