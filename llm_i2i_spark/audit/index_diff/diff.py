"""What differs between two versions of the index, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from llm_i2i_spark.audit.index_diff.causes import compare_upstream
from llm_i2i_spark.audit.index_diff.changes import ComparedLists
from llm_i2i_spark.audit.index_diff.index_rows import IndexVersions
from llm_i2i_spark.audit.index_diff.result import IndexDiff, SystemDiff
from llm_i2i_spark.audit.origins import Origin, Origins

ReadColumns = Callable[[str, Sequence[str]], "pa.Table | None"]
"""Reads columns of the latest version of a table; None where there is no such table."""


def diff_index(
    origins: Origins,
    versions: IndexVersions,
    before: int,
    after: int,
    read: ReadColumns,
    examples: int = 5,
) -> IndexDiff:
    """Compare two versions of the index.

    Args:
        origins: of the lake.
        versions: the lists of both.
        before: the earlier version of `item_index`.
        after: the later one.
        read: reads `item_stats` and `items`, for slices and titles.
        examples: lists to show a system, those that differ most.

    Raises:
        TableNotFoundError: a version cannot be read any more.
    """
    long_tail = read("item_stats", ("item_id", "is_long_tail"))
    systems = [
        _system(origins, versions, scope, before, after, long_tail, read, examples)
        for scope in versions.systems()
    ]
    return IndexDiff(before, after, tuple(systems))


def _system(
    origins: Origins,
    versions: IndexVersions,
    scope: dict[str, str],
    before: int,
    after: int,
    long_tail: pa.Table | None,
    read: ReadColumns,
    examples: int,
) -> SystemDiff:
    compared = ComparedLists(versions.lists(scope))
    chosen = compared.most_changed(examples)
    titles = _titles(read, compared.named_items(chosen)) if chosen else {}
    earlier, later = (_upstream(origins, scope, version) for version in (before, after))
    inputs, causes = compare_upstream(earlier, later)
    if not (earlier and later):
        causes = ()  # only one of the versions has it at all
    return SystemDiff(
        variant=scope["variant"],
        backbone=scope["backbone"],
        slices=compared.slices(long_tail),
        examples=tuple(compared.example(item, titles) for item in chosen),
        inputs=inputs,
        causes=causes,
    )


def _upstream(origins: Origins, scope: dict[str, str], version: int) -> tuple[Origin, ...]:
    """What a version of an index was made from; empty where the version does not hold it."""
    index = origins.find("item_index", scope, version)
    if index is None or index.written is None:
        return ()
    return origins.upstream(index)


def _titles(read: ReadColumns, items: Sequence[str]) -> dict[str, str]:
    rows = read("items", ("item_id", "title"))
    if rows is None:
        return {}
    rows = rows.filter(pc.is_in(rows["item_id"], value_set=pa.array(items, pa.string())))
    return {row["item_id"]: row["title"] for row in rows.to_pylist() if row["title"]}
