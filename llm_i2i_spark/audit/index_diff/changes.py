"""The lists of two versions, compared: counts by slice of the items, and the lists that differ
most.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llm_i2i_spark.audit.index_diff.index_rows import TwoVersions
from llm_i2i_spark.audit.index_diff.result import ListExample, NeighborChange, SliceChanges
from llm_i2i_spark.kernels.arrays import BoolArray, Int64Array
from llm_i2i_spark.kernels.list_changes import Entries, Lists, list_changes

SHOWN = 6
"""Neighbours of an example that are named."""


class ComparedLists:
    """What differs between two versions of the lists of one variant and backbone.

    Args:
        two: the lists.
    """

    def __init__(self, two: TwoVersions) -> None:
        self._ids = _ids(two)
        n = len(self._ids)
        before, after = self._lists(two.before), self._lists(two.after)
        same = self._codes(two.same)
        self._changes = list_changes(before, after, max(n, 1))
        self._before, self._after = _members(n, before.items, same), _members(n, after.items, same)
        self._came, self._went, self._moved = (
            np.bincount(entries.items, minlength=n)
            for entries in (self._changes.came, self._changes.went, self._changes.moved)
        )
        self._rescored = np.bincount(self._changes.rescored, minlength=n)
        self._touched = self._came + self._went + self._moved
        self._changed = (self._touched > 0) | (self._before != self._after)

    def slices(self, long_tail: pa.Table | None) -> tuple[SliceChanges, ...]:
        """Counts of all items, and of the head and the long tail.

        Args:
            long_tail: `item_id, is_long_tail` of the catalogue; None where the lake has none.
        """
        found = [self._slice("all", np.ones(len(self._ids), np.bool_))]
        if long_tail is not None and long_tail.num_rows:
            place = pc.index_in(long_tail["item_id"], value_set=self._ids)
            known = place.is_valid()
            codes = place.filter(known).to_numpy().astype(np.int64)
            rare = long_tail["is_long_tail"].filter(known).to_numpy().astype(np.bool_)
            for name, chosen in (("head", codes[~rare]), ("long_tail", codes[rare])):
                found.append(self._slice(name, _members(len(self._ids), chosen)))
        return tuple(found)

    def most_changed(self, count: int) -> list[str]:
        """The items whose lists differ most: by neighbours that came or went, then by those that
        moved, then by id.
        """
        order = np.lexsort((-self._moved, -(self._came + self._went)))[:count]
        return [self._ids[int(code)].as_py() for code in order if self._touched[code]]

    def named_items(self, items: Sequence[str]) -> list[str]:
        """Every id that the examples of some items name."""
        named = [one.item_id for item in items for one in self._neighbors(item, {})]
        return sorted({*items, *named})

    def example(self, item: str, titles: dict[str, str]) -> ListExample:
        """How one list differs.

        Args:
            item: whose list.
            titles: by id.
        """
        changed = int(self._touched[self._code(item)])
        return ListExample(item, titles.get(item), changed, self._neighbors(item, titles))

    def _neighbors(self, item: str, titles: dict[str, str]) -> tuple[NeighborChange, ...]:
        code, found = self._code(item), []
        for entries in (self._changes.came, self._changes.went, self._changes.moved):
            first, last = np.searchsorted(entries.items, [code, code + 1])
            found.append(sorted(self._rows(entries, first, last)))
        rows = [row for of_kind in found for row in of_kind][:SHOWN]
        return tuple(
            NeighborChange(one, titles.get(one), before or None, after or None)
            for _, one, before, after in rows
        )

    def _rows(self, entries: Entries, first: int, last: int) -> list[tuple[int, str, int, int]]:
        """By the rank that a neighbour has, or had: that rank, its id, both ranks."""
        return [
            (int(after or before), self._ids[int(code)].as_py(), int(before), int(after))
            for code, before, after in zip(
                entries.neighbors[first:last],
                entries.before[first:last],
                entries.after[first:last],
                strict=True,
            )
        ]

    def _slice(self, name: str, chosen: BoolArray) -> SliceChanges:
        return SliceChanges(
            name,
            *(
                int(counts[chosen].sum())
                for counts in (
                    self._before,
                    self._after,
                    self._changed,
                    self._came,
                    self._went,
                    self._moved,
                    self._rescored,
                )
            ),
        )

    def _code(self, item: str) -> int:
        return int(pc.index_in(pa.scalar(item), value_set=self._ids).as_py())

    def _codes(self, ids: pa.ChunkedArray) -> Int64Array:
        codes: Int64Array = pc.index_in(ids, value_set=self._ids).to_numpy().astype(np.int64)
        return codes

    def _lists(self, rows: pa.Table) -> Lists:
        if rows.num_rows == 0:
            none = np.zeros(0, np.int64)
            return Lists(none, np.zeros(1, np.int64), none, np.zeros(0))
        entries = _entries(rows)
        lengths = pc.list_value_length(rows["neighbors"]).to_numpy()
        return Lists(
            items=self._codes(rows["item_id"]),
            indptr=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            neighbors=self._codes(_field(entries, "item_id")),
            scores=_field(entries, "score").to_numpy(),
        )


def _ids(two: TwoVersions) -> pa.Array:
    """Every id in either version, ascending."""
    columns = [two.same]
    for rows in (two.before, two.after):
        if rows.num_rows:
            columns += [rows["item_id"], _field(_entries(rows), "item_id")]
    parts = [part for column in columns for part in column.iterchunks()]
    unique = pc.unique(pa.chunked_array(parts, pa.string()))
    return unique.take(pc.sort_indices(unique))


def _entries(rows: pa.Table) -> list[pa.StructArray]:
    """The neighbours of all lists, best first; in parts, as text of more than 2 GiB has to be."""
    return [part.flatten() for part in rows["neighbors"].iterchunks()]


def _field(entries: list[pa.StructArray], name: str) -> pa.ChunkedArray:
    return pa.chunked_array([pc.struct_field(one, name) for one in entries])


def _members(n: int, *codes: Int64Array) -> BoolArray:
    """By index, whether one of some arrays names it."""
    found = np.zeros(n, np.bool_)
    for one in codes:
        found[one] = True
    return found
