"""What every kernel returns: the best neighbours of each item."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llm_i2i_spark.kernels.csr import (
    ONE,
    Doubles,
    Ints,
    ItemUsers,
    Places,
    Sizes,
    UserLists,
    compiled,
)
from llm_i2i_spark.kernels.edge_format import ROUNDING

SHORT_LIST = 24


class Neighbors(NamedTuple):
    """A row a neighbour, grouped by item, best first."""

    item: Ints
    neighbor: Ints
    similarity: Doubles
    support: Ints
    synthetic_share: Doubles


class Best(NamedTuple):
    """Room for the best of a row: as many places, and their scores, as neighbours are wanted. Made
    once a block.
    """

    places: Places
    scores: Doubles


@compiled
def room_for_neighbors(
    lists: UserLists, of_items: ItemUsers, top_k: int, least_support: int
) -> Neighbors:
    """Arrays long enough for all rows of a block: at most `top_k` an item, and each neighbour is
    met `least_support` times.
    """
    capacity = 0
    for t in range(len(of_items.items)):
        reach = 0
        for user in of_items.users[of_items.starts[t] : of_items.starts[t + 1]]:
            reach += lists.offsets[user + 1] - lists.offsets[user] - 1
        capacity += min(top_k, reach // least_support)
    return Neighbors(
        np.empty(capacity, np.int32),
        np.empty(capacity, np.int32),
        np.empty(capacity),
        np.empty(capacity, np.int32),
        np.empty(capacity),
    )


@compiled
def write_best(
    out: Neighbors,
    rows: int,
    item: int,
    kept: Places,
    starts: Sizes,
    sums: Doubles,
    real_sums: Doubles,
    best: Best,
) -> int:
    """Append an item's best neighbours to `out` behind its first `rows` rows. Returns the new
    number of rows.

    Args:
        kept: the neighbours; the next three arrays are theirs.
        starts: neighbour t has starts[t + 1] - starts[t] users behind it.
        sums: the similarities; they are rounded in place to 42 significant bits (relative error at
            most 2^-42), so that sums which are equal in exact arithmetic tie, and the item number
            decides.
        real_sums: what is left of the sums without synthetic edges.
        best: room for the selection.
    """
    for t in range(len(kept)):
        sums[t] = _rounded(sums[t])
    for place in range(_find_best(sums, kept, best)):
        t = best.places[place]
        if sums[t] <= 0.0:
            break  # weights so small that their product is not a number above 0
        out.item[rows] = item
        out.neighbor[rows] = kept[t]
        out.similarity[rows] = sums[t]
        out.support[rows] = starts[t + 1] - starts[t]
        out.synthetic_share[rows] = min(max(1.0 - _rounded(real_sums[t]) / sums[t], 0.0), 1.0)
        rows += 1
    return rows


@compiled
def _rounded(x: float) -> float:
    scaled = x * ROUNDING
    return scaled - (scaled - x)


@compiled
def _find_best(scores: Doubles, items: Places, best: Best) -> int:
    """The places of the highest scores, highest first, the lower item where scores are equal.
    Returns how many.
    """
    return (
        _insert_best(scores, items, best)
        if len(best.places) <= SHORT_LIST
        else _heap_best(scores, items, best)
    )


@compiled
def _insert_best(scores: Doubles, items: Places, best: Best) -> int:
    """By insertion: for a handful of neighbours three times as fast as the heap."""
    filled = 0
    for place in range(len(items)):
        if filled < len(best.places):
            filled += 1
        elif not _is_worse(best, items, filled - 1, place, scores[place]):
            continue
        free = filled - 1
        while free > 0 and _is_worse(best, items, free - 1, place, scores[place]):
            best.places[free], best.scores[free] = best.places[free - 1], best.scores[free - 1]
            free -= 1
        best.places[free], best.scores[free] = place, scores[place]
    return filled


@compiled
def _heap_best(scores: Doubles, items: Places, best: Best) -> int:
    """By a heap that has the worst of the kept on top."""
    size = min(len(best.places), len(items))
    for place in range(size):
        best.places[place], best.scores[place] = place, scores[place]
    for parent in range(size // 2 - 1, -1, -1):
        _sift_down(best, items, np.uint64(parent), np.uint64(size))
    for place in range(size, len(items)):
        if _is_worse(best, items, 0, place, scores[place]):
            best.places[0], best.scores[0] = place, scores[place]
            _sift_down(best, items, np.uint64(0), np.uint64(size))
    for end in range(size - 1, 0, -1):
        best.places[0], best.places[end] = best.places[end], best.places[0]
        best.scores[0], best.scores[end] = best.scores[end], best.scores[0]
        _sift_down(best, items, np.uint64(0), np.uint64(end))
    return size


@compiled
def _sift_down(best: Best, items: Places, parent: int, size: int) -> None:
    place, score = best.places[parent], best.scores[parent]
    child = ONE + parent + parent
    while child < size:
        if child + ONE < size and _is_worse(
            best, items, child + ONE, best.places[child], best.scores[child]
        ):
            child += ONE
        if not _is_worse(best, items, child, place, score):
            break
        best.places[parent], best.scores[parent] = best.places[child], best.scores[child]
        parent = child
        child = ONE + parent + parent
    best.places[parent], best.scores[parent] = place, score


@compiled
def _is_worse(best: Best, items: Places, node: int, place: int, score: float) -> bool:
    if best.scores[node] == score:
        return bool(items[best.places[node]] > items[place])
    return bool(best.scores[node] < score)
