"""Commits without a JVM: data files by pyarrow, whose page checksums delta-rs cannot write, and one
commit by delta-rs that names them.

A file, its checksums included, is on the disk before a commit names it.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from llm_i2i_spark.base.contract import Scope
from llm_i2i_spark.base.phases import reached
from llm_i2i_spark.lake.block_checksums import (
    checksum_file,
    write_block_checksums,
    write_log_checksums,
)
from llm_i2i_spark.lake.commit_attempts import commit_options
from llm_i2i_spark.lake.delta_files import file_name, read_file, row_masks

ROWS_AT_ONCE = 1 << 16


def create_table(
    path: Path, rows: pa.Table, scope: Sequence[str], configuration: Mapping[str, str], record: str
) -> None:
    """Make a table of some rows, in one commit.

    Args:
        path: of the table, where none is yet.
        rows: its rows.
        scope: columns whose bounds the commit names.
        configuration: properties of the table.
        record: kept as `userMetadata`, as Spark's own DESCRIBE HISTORY shows it.

    Raises:
        CommitFailedError: another process has made it meanwhile.
    """
    file = _write_file(path, rows, scope)
    try:
        create_table_with_add_actions(
            str(path),
            Schema.from_arrow(rows.schema),
            [file],
            configuration=dict(configuration),
            storage_options=commit_options(path / "_delta_log"),
            commit_properties=_properties(record, len(rows)),
        )
    except DeltaError as error:
        _remove_uncommitted(path, file.path)
        if "already exists" in str(error):
            raise CommitFailedError(str(error)) from None
        raise
    reached("rows committed")
    write_log_checksums(path / "_delta_log")


def replace_rows(
    table: DeltaTable,
    path: Path,
    rows: pa.Table,
    scope: Sequence[str],
    replaced: Sequence[Scope],
    record: str,
) -> None:
    """Put rows in the place of those of some scopes, in one commit.

    Args:
        table: at the version that the rows of other scopes are taken from.
        path: of the table.
        rows: the new ones.
        scope: columns by which results stand side by side.
        replaced: whose rows go; empty for all.
        record: kept as `userMetadata`.

    Raises:
        CommitFailedError: the table has another version meanwhile.
        DamagedFileError: a file that holds rows of other scopes cannot be read.
        OSError: there is no room.
    """
    masks = row_masks(table)
    actions = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    # A file with a deletion vector has another identity in the log, and an overwrite alone changes
    # columns: then every file is replaced.
    anew = not replaced or bool(masks) or not _has_columns(table, rows.schema)
    kept, gone = [], []
    for action in actions:
        name = action["path"]
        if not anew and not any(may_hold(action, one) for one in replaced):
            continue
        gone.append(RemoveAction(name, True, int(time.time() * 1000), action["size_bytes"]))
        if replaced:
            found = read_file(f"{path}/{name}", rows.column_names, {}, masks.get(name))
            kept.append(_without(found, replaced))
    content = pa.concat_tables([*kept, rows], promote_options="default").cast(rows.schema)
    file = _write_file(path, content, scope)
    try:
        table.create_write_transaction(
            [file, *([] if anew else gone)],
            "overwrite" if anew else "append",
            rows.schema,
            commit_properties=_properties(record, len(rows)),
        )
    except DeltaError:
        _remove_uncommitted(path, file.path)
        raise
    reached("rows committed")
    write_log_checksums(path / "_delta_log")


def may_hold(action: Mapping[str, Any], scope: Scope) -> bool:
    """Whether a data file may hold rows of a scope, as far as the bounds in its log entry tell.

    Args:
        action: flat, of `get_add_actions`.
        scope: a value by column.
    """
    bounds = {name: (action.get(f"min.{name}"), action.get(f"max.{name}")) for name in scope}
    return all(
        low is None or high is None or low <= scope[name] <= high
        for name, (low, high) in bounds.items()
    )


def _has_columns(table: DeltaTable, schema: pa.Schema) -> bool:
    return {field.name for field in table.schema().fields} == set(schema.names)


def _without(rows: pa.Table, scopes: Sequence[Scope]) -> pa.Table:
    """The rows that are of none of the scopes."""
    for scope in scopes:
        ours = [pc.equal(rows[name], value) for name, value in scope.items()]
        hit = ours[0]
        for one in ours[1:]:
            hit = pc.and_(hit, one)
        rows = rows.filter(pc.invert(pc.fill_null(hit, False)))
    return rows


def _write_file(path: Path, rows: pa.Table, scope: Sequence[str]) -> AddAction:
    """Write a data file and its checksums to the disk; the action that names it."""
    name = f"part-00000-{uuid.uuid4()}-c000.zstd.parquet"
    try:
        with pq.ParquetWriter(
            path / name, rows.schema, compression="zstd", write_page_checksum=True
        ) as writer:
            writer.write_table(rows, row_group_size=ROWS_AT_ONCE)
        write_block_checksums(path / name)
    except OSError:
        _remove_file(path / name)
        raise
    reached("data file written")
    state = (path / name).stat()
    return AddAction(name, state.st_size, {}, state.st_mtime_ns // 10**6, True, _stats(rows, scope))


def _remove_uncommitted(path: Path, name: str) -> None:
    """Remove a data file after a commit that failed; one that failed after it was made, as where
    there was no room for a checkpoint of the log, keeps it.
    """
    try:
        named = {file_name(uri) for uri in DeltaTable(path).file_uris()}
    except TableNotFoundError:
        named = set()
    except DeltaError:
        return  # nobody can say
    if name not in named:
        _remove_file(path / name)


def _remove_file(path: Path) -> None:
    path.unlink(missing_ok=True)
    checksum_file(path).unlink(missing_ok=True)


def _stats(rows: pa.Table, scope: Sequence[str]) -> str:
    """What Delta's log says of a file: its rows, and the bounds of the columns of the scope."""
    bounds = {name: pc.min_max(rows[name]).as_py() for name in scope} if len(rows) else {}
    return json.dumps(
        {
            "numRecords": len(rows),
            "minValues": {name: found["min"] for name, found in bounds.items()},
            "maxValues": {name: found["max"] for name, found in bounds.items()},
            "nullCount": {name: rows[name].null_count for name in scope},
        }
    )


def _properties(record: str, rows: int) -> CommitProperties:
    # Without a retry of its own, a commit fails where the table has another version than the one
    # that was read, whatever was in between.
    metadata = {"userMetadata": record, "operationMetrics": {"num_added_rows": rows}}
    return CommitProperties(custom_metadata=metadata, max_commit_retries=0)
