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
from llm_i2i_spark.base.errors import ConfigError, TableNotFoundError
from llm_i2i_spark.base.run_record import Commit

ReadColumns = Callable[[str, Sequence[str]], "pa.Table | None"]
"""Reads columns of the latest version of a table; None where there is no such table."""


def find_index_version(history: Sequence[Commit], name: str | int) -> int:
    """The version of `item_index` that a number or a run means.

    Args:
        history: of the table, latest first.
        name: a version, or the id of a run, of which the last commit counts.

    Raises:
        TableNotFoundError: the table is not there, or has no such version.
        ConfigError: the run is unknown, or wrote no index.
    """
    if not history:
        raise TableNotFoundError("There is no table item_index yet; run stage index first.")
    if str(name).isdecimal():
        version, latest = int(name), history[0].version
        if version > latest:
            raise TableNotFoundError(
                f"There is no version {version} of item_index, the latest is {latest};"
                " `llm-i2i audit runs` lists what each run wrote."
            )
        return version
    for commit in history:
        if commit.record is not None and commit.record.run_id == name:
            return commit.version
    raise ConfigError(
        f"No run {name} wrote item_index; `llm-i2i audit runs` lists the runs and what each wrote."
    )


def choose_versions(
    history: Sequence[Commit], before: str | int | None, after: str | int | None
) -> tuple[int, int]:
    """The two versions of `item_index` to compare.

    Args:
        history: of the table, latest first.
        before: a version or a run; None for the one that was written before `after`.
        after: likewise; None for the latest.

    Raises:
        UserError: as `find_index_version`, or nothing was written before.
    """
    latest = history[0].version if history else 0
    later = find_index_version(history, latest if after is None else after)
    if before is not None:
        return find_index_version(history, before), later
    written = [one.version for one in history if one.changes_rows and one.version <= later]
    if len(written) < 2:
        raise TableNotFoundError(
            f"Nothing was written to item_index before version {later}, so there is nothing to"
            " compare it with; run: llm-i2i run --config FILE"
        )
    return written[1], later


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
    inputs, causes = compare_upstream(
        _upstream(origins, scope, before), _upstream(origins, scope, after)
    )
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
