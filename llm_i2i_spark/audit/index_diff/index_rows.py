"""The lists of two versions of the index, as Arrow tables: read file by file where the lake is
local, where files of both versions are left out, and with Spark elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from llm_i2i_spark.base.contract import Scope, scope_condition, scope_key
from llm_i2i_spark.base.contracts import ITEM_INDEX
from llm_i2i_spark.lake.version_files import VersionFiles

if TYPE_CHECKING:
    from llm_i2i_spark.lake.tables import Lake

LISTS = ("item_id", "neighbors")


@dataclass(frozen=True)
class TwoVersions:
    """The lists of one variant and backbone that may differ.

    Attributes:
        before: `item_id, neighbors` of the earlier version.
        after: likewise of the later one.
        same: the ids of items whose lists were not compared, since they are the same.
    """

    before: pa.Table
    after: pa.Table
    same: pa.ChunkedArray


class IndexVersions(Protocol):
    """Two versions of the table `item_index`."""

    def systems(self) -> list[dict[str, str]]:
        """The scopes of either version, by backbone and variant."""

    def lists(self, scope: Scope) -> TwoVersions:
        """The lists of a scope.

        Raises:
            TableNotFoundError: a version cannot be read any more.
        """


class FilesOfVersions:
    """Two versions of a local index.

    Args:
        path: folder of the table.
        before: the earlier version.
        after: the later one.

    Raises:
        TableNotFoundError: the log no longer has one of them.
    """

    def __init__(self, path: str, before: int, after: int) -> None:
        self._before, self._after = (VersionFiles.of(path, one) for one in (before, after))
        self._shared = self._before.shared_with(self._after)

    def systems(self) -> list[dict[str, str]]:
        """As `IndexVersions`."""
        found: list[dict[str, str]] = []
        for files in (self._before, self._after):
            rows = files.read(files.names, ITEM_INDEX.scope)
            found += rows.group_by(list(ITEM_INDEX.scope)).aggregate([]).to_pylist() if rows else []
        return _distinct(found)

    def lists(self, scope: Scope) -> TwoVersions:
        """As `IndexVersions`."""
        before = self._before.read(self._before.names - self._shared, LISTS, scope)
        after = self._after.read(self._after.names - self._shared, LISTS, scope)
        same = self._after.read(self._shared, LISTS[:1], scope)
        return TwoVersions(before, after, _ids(same))


class SparkVersions:
    """Two versions of an index that Spark reads; lists that are equal stay where they are.

    Args:
        lake: the tables.
        before: the earlier version.
        after: the later one.
    """

    def __init__(self, lake: Lake, before: int, after: int) -> None:
        self._before, self._after = (lake.read("item_index", one) for one in (before, after))

    def systems(self) -> list[dict[str, str]]:
        """As `IndexVersions`."""
        rows = self._before.select(*ITEM_INDEX.scope).union(self._after.select(*ITEM_INDEX.scope))
        return _distinct([row.asDict() for row in rows.distinct().collect()])

    def lists(self, scope: Scope) -> TwoVersions:
        """As `IndexVersions`."""
        wanted = scope_condition((scope,))
        before = self._before.where(wanted).selectExpr("item_id", "neighbors AS before")
        after = self._after.where(wanted).selectExpr("item_id", "neighbors AS after")
        both = before.join(after, "item_id", "full_outer")
        differ = both.where("NOT before <=> after").toArrow()
        same = both.where("before <=> after").select("item_id").toArrow()
        return TwoVersions(_side(differ, "before"), _side(differ, "after"), _ids(same))


def _side(rows: pa.Table, name: str) -> pa.Table:
    there = rows.filter(rows[name].is_valid())
    return pa.table({"item_id": there["item_id"], "neighbors": there[name]})


def _ids(rows: pa.Table) -> pa.ChunkedArray:
    return rows["item_id"] if rows.num_columns else pa.chunked_array([], pa.string())


def _distinct(scopes: list[dict[str, str]]) -> list[dict[str, str]]:
    found = {scope_key(one): {name: one[name] for name in ITEM_INDEX.scope} for one in scopes}
    return sorted(found.values(), key=lambda one: (one["backbone"], one["variant"]))
