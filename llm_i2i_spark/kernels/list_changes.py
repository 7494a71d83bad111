"""What came, went and moved between two versions of lists of neighbours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llm_i2i_spark.kernels.arrays import Float64Array, Int64Array


class Lists(NamedTuple):
    """Lists of neighbours, each best first, in any order of the items.

    Attributes:
        items: (n,) whose list; each item once.
        indptr: (n + 1,) where each list begins in the next two.
        neighbors: of all lists, each once in a list.
        scores: of these.
    """

    items: Int64Array
    indptr: Int64Array
    neighbors: Int64Array
    scores: Float64Array


class Entries(NamedTuple):
    """Neighbours of some lists.

    Attributes:
        items: (m,) in whose list; ascending.
        neighbors: (m,) which neighbour.
        before: (m,) its rank from 1; 0 where it is not in the list.
        after: (m,) likewise.
    """

    items: Int64Array
    neighbors: Int64Array
    before: Int64Array
    after: Int64Array


class ListChanges(NamedTuple):
    """What differs between two versions.

    Attributes:
        came: neighbours that only the later lists have.
        went: those that only the earlier ones have.
        moved: those of both at another rank.
        rescored: (r,) of each neighbour of both with another score, in whose list; ascending.
    """

    came: Entries
    went: Entries
    moved: Entries
    rescored: Int64Array


def list_changes(before: Lists, after: Lists, n_ids: int) -> ListChanges:
    """Compare two versions of lists.

    Args:
        before: the earlier one.
        after: the later one.
        n_ids: one more than the largest index of an item or neighbour; its square below 2^63.
    """
    earlier, later = _sorted(before, n_ids), _sorted(after, n_ids)
    place = np.searchsorted(later.keys, earlier.keys)
    kept = np.zeros(len(earlier.keys), np.bool_)
    inside = place < len(later.keys)
    kept[inside] = later.keys[place[inside]] == earlier.keys[inside]
    there = place[kept]
    new = np.ones(len(later.keys), np.bool_)
    new[there] = False
    ranks, scores = later.ranks[there], later.scores[there]
    moved = earlier.ranks[kept] != ranks
    return ListChanges(
        came=_entries(later.keys[new], n_ids, after=later.ranks[new]),
        went=_entries(earlier.keys[~kept], n_ids, before=earlier.ranks[~kept]),
        moved=_entries(earlier.keys[kept][moved], n_ids, earlier.ranks[kept][moved], ranks[moved]),
        rescored=earlier.keys[kept][earlier.scores[kept] != scores] // n_ids,
    )


class _Sorted(NamedTuple):
    """All neighbours of all lists by item and neighbour."""

    keys: Int64Array
    ranks: Int64Array
    scores: Float64Array


def _sorted(lists: Lists, n_ids: int) -> _Sorted:
    lengths = np.diff(lists.indptr)
    keys = np.repeat(lists.items, lengths) * n_ids + lists.neighbors
    ranks = np.arange(1, len(keys) + 1) - np.repeat(lists.indptr[:-1], lengths)
    order = np.argsort(keys)
    return _Sorted(keys[order], ranks[order], lists.scores[order])


def _entries(
    keys: Int64Array,
    n_ids: int,
    before: Int64Array | None = None,
    after: Int64Array | None = None,
) -> Entries:
    none = np.zeros(len(keys), np.int64)
    return Entries(
        keys // n_ids,
        keys % n_ids,
        none if before is None else before,
        none if after is None else after,
    )
