"""The files of a table that hold some users, which versions read them, and how many rows are live.

Every file of rows in the table's folder is read, in the columns that name users: also those of old
versions, of the change feed, of writes that were ended, and those that were set aside as damaged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from llm_i2i_spark.audit.erasure.holdings import HeldFile, HeldRows
from llm_i2i_spark.audit.erasure.matching import Users
from llm_i2i_spark.base.contract import Table, UserIds, scope_key
from llm_i2i_spark.lake.delta_files import file_name, row_masks
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lake.lost_files import open_table

LOG_FOLDER = "_delta_log"
BATCH_ROWS = 1 << 18


@dataclass(frozen=True)
class TableHoldings:
    """What a table holds of some users.

    Attributes:
        rows: of its latest version.
        files: that hold them.
        unread: files that cannot be looked into.
    """

    rows: tuple[HeldRows, ...]
    files: tuple[HeldFile, ...]
    unread: tuple[str, ...]


def survey_table(lake: DeltaRsLake, table: Table, users: Users) -> TableHoldings:
    """What a table and its folder hold of some users.

    Args:
        lake: a local one.
        table: one that names users.
        users: which.
    """
    folder = Path(lake.path(table.name))
    found: dict[str, list[int]] = {}
    unread = []
    for file in sorted(folder.rglob("*.parquet*")):
        inner = file.relative_to(folder)
        if LOG_FOLDER not in inner.parts and not file.name.endswith(".crc"):
            rows = _rows_in(file, table, users)
            if rows is None:
                unread.append(str(file))
            elif rows:
                found[str(inner)] = rows
    if not found:
        return TableHoldings((), (), tuple(unread))
    versions = _versions_by_file(lake, table.name, set(found))
    latest = lake.version(table.name)
    live = {name for name in found if latest in versions[name]}
    files = [
        HeldFile(str(folder / name), table.name, len(rows), tuple(versions[name]), name in live)
        for name, rows in found.items()
    ]
    rows_now = _live_rows(lake, table, {name: found[name] for name in sorted(live)})
    return TableHoldings(rows_now, tuple(files), tuple(unread))


def _rows_in(file: Path, table: Table, users: Users) -> list[int] | None:
    """The numbers of the rows of the users in a file; None where it cannot be read."""
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as opened:
            kinds = _kinds_in(opened.schema_arrow.names, table)
            numbers: list[int] = []
            before = 0
            for batch in opened.iter_batches(BATCH_ROWS, columns=list(kinds)) if kinds else ():
                columns = pa.Table.from_batches([batch])
                mask = users.are_in(
                    dict(zip(columns.column_names, columns.columns, strict=True)), kinds
                )
                numbers += [before + int(row) for row in mask.nonzero()[0]]
                before += batch.num_rows
            return numbers
    except (OSError, pa.ArrowException):
        return None


def _kinds_in(names: Sequence[str], table: Table) -> dict[str, UserIds]:
    return {name: kind for name, kind in table.user_ids.items() if name in names}


def _versions_by_file(lake: DeltaRsLake, table: str, names: set[str]) -> dict[str, list[int]]:
    """The versions that read each of some files, oldest first; those whose log is gone count
    nothing.
    """
    found: dict[str, list[int]] = {name: [] for name in names}
    for commit in reversed(lake.history(table)):
        for uri in open_table(lake.path(table), commit.version).file_uris():
            if file_name(uri) in found:
                found[file_name(uri)].append(commit.version)
    return found


def _live_rows(
    lake: DeltaRsLake, table: Table, files: dict[str, list[int]]
) -> tuple[HeldRows, ...]:
    """The rows that the latest version still shows, counted by result and source."""
    folder, masks = lake.path(table.name), row_masks(open_table(lake.path(table.name)))
    counts: Counter[tuple[str, str | None]] = Counter()
    for name, numbers in files.items():
        with pq.ParquetFile(f"{folder}/{name}") as opened:
            wanted = [one for one in (*table.scope, "source") if one in opened.schema_arrow.names]
            mask = masks.get(name)
            shown = [row for row in numbers if mask is None or mask[row]]
            rows = opened.read(columns=wanted or None).take(shown) if wanted else None
        if rows is None:
            counts["", None] += len(shown)
            continue
        for row in rows.to_pylist():
            source = row.pop("source", None)
            counts[scope_key(row), source] += 1
    return tuple(
        HeldRows(str(lake.root), table.name, scope, source, rows)
        for (scope, source), rows in sorted(counts.items(), key=str)
        if rows
    )
