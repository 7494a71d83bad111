"""The lake without a JVM: histories, rows at a version and commits, through delta-rs.

For local roots. Training jobs and all that only looks (`audit runs`, the plan of a run) work
with it; `lake.tables.Lake` is the same lake with Spark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from numpy.typing import NDArray

from llm_i2i_spark.base import errors
from llm_i2i_spark.base.contract import Scope, scope_of
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.disk_errors import disk_error
from llm_i2i_spark.base.run_record import Commit, LostFile, RunRecord
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.lake.arrow_rows import Rows, arrow_rows
from llm_i2i_spark.lake.commit_attempts import commit_again
from llm_i2i_spark.lake.delta_files import file_batches, file_name, read_file, row_masks
from llm_i2i_spark.lake.location import local_root, missing_table, retention_properties
from llm_i2i_spark.lake.lost_files import (
    find_lost_files,
    is_whole_table,
    open_table,
    with_losses,
)
from llm_i2i_spark.lake.own_commits import RECENT, holds_results, version_of
from llm_i2i_spark.lake.table_commit import create_table, replace_rows


def table_exists(path: str) -> bool:
    """Whether a local folder is a Delta table."""
    return is_whole_table(path)


def table_version(path: str) -> int | None:
    """The latest version of the table in a local folder; None where there is none."""
    return int(open_table(path).version()) if table_exists(path) else None


def table_history(path: str, limit: int | None = None) -> list[Commit]:
    """The commits of the table in a local folder, latest first; empty where there is none.

    Args:
        path: of the table.
        limit: how many of the latest; None for all that are kept.
    """
    return (
        [_commit(entry) for entry in open_table(path).history(limit)] if table_exists(path) else []
    )


def table_losses(path: str, version: int | None = None) -> list[LostFile]:
    """The data files of a version (the latest without one) that are not as the log says; empty
    where there is no table.
    """
    return find_lost_files(path, version) if table_exists(path) else []


def surviving_files(path: str, lost: Sequence[LostFile]) -> list[str] | None:
    """The names of the data files that are as the log says; None where some of their rows were
    deleted in place.
    """
    table = open_table(path)
    gone = {file_name(file.name) for file in lost}
    names = [name for name in map(file_name, table.file_uris()) if name not in gone]
    return None if row_masks(table).keys() & set(names) else sorted(names)


def retention_differs(path: str, properties: Mapping[str, str]) -> bool:
    """Whether a table that exists keeps its old versions for another time than it should."""
    if not table_exists(path):
        return False
    found = open_table(path).metadata().configuration
    return any(found.get(key) != value for key, value in properties.items())


def _commit(entry: dict[str, Any]) -> Commit:
    metrics = entry.get("operationMetrics") or {}
    # Spark counts output rows; delta-rs, which training jobs commit with, counts added rows.
    rows = metrics.get("numOutputRows", metrics.get("num_added_rows"))
    return Commit(
        version=int(entry["version"]),
        timestamp=datetime.fromtimestamp(entry["timestamp"] / 1000, timezone.utc),
        operation=entry.get("operation", ""),
        rows=int(rows) if rows is not None else None,
        record=RunRecord.from_json(entry.get("userMetadata")),
    )


class DeltaRsLake:
    """The tables under a local folder, read and written without Spark.

    Args:
        config: with `lake.root`, a folder that every process can reach.

    Raises:
        ConfigError: there is no root, or it is not a folder of this machine.
    """

    def __init__(self, config: LakeConfig) -> None:
        if not config.root:
            raise errors.ConfigError(
                "Training jobs read and write files: set lake.root to a folder (on Databricks one"
                " below /Volumes)."
            )
        root = local_root(config)
        if root is None:
            raise errors.ConfigError(
                f"Training jobs need lake.root as a mounted folder, and {config.root} is a URI (on"
                " Databricks: below /Volumes)."
            )
        self.root = root
        self._properties = retention_properties(config)

    def path(self, table: str) -> str:
        """The folder of a table."""
        return str(self.root / TABLES[table].name)

    def version(self, table: str) -> int | None:
        """The latest version of a table; None where it does not exist."""
        return table_version(self.path(table))

    def history(self, table: str, limit: int | None = None) -> list[Commit]:
        """The commits of a table, latest first; empty where it does not exist."""
        return table_history(self.path(table), limit)

    def lost_files(self, table: str, version: int | None = None) -> list[LostFile]:
        """The data files of a version that are not as the log says."""
        return table_losses(self.path(table), version)

    def retention_differs(self) -> bool:
        """Whether a table keeps its old versions for another time than `lake.retention_days`."""
        return any(retention_differs(self.path(table), self._properties) for table in TABLES)

    def read(
        self, table: str, version: int | None, columns: Sequence[str], scope: Scope | None = None
    ) -> pa.Table:
        """Columns of a table at a version, sorted by those of its key, so that the order of files
        does not matter.

        Every byte of the log and of the files is verified where there are checksums (see
        `lake.block_checksums`), and Parquet's pages by their own: a flipped bit is an error here,
        not a wrong row.

        Args:
            table: its name.
            version: None for the latest.
            columns: which.
            scope: which of the results that stand side by side; None for all rows.

        Raises:
            TableNotFoundError: the table or the version is not there, or its log is damaged.
            DamagedFileError: a file is missing or not what was written.
            InputDataError: there are no rows.
        """
        contract = TABLES[table]
        files, rows_of = self._files(table, version), scope or {}
        parts = [read_file(path, columns, rows_of, mask) for path, mask in files]
        rows = pa.concat_tables(parts, promote_options="default") if parts else None
        if rows is None or rows.num_rows == 0:
            raise _without_rows(table, version)
        keys = [name for name in contract.key if name not in contract.scope and name in columns]
        return rows.sort_by([(name, "ascending") for name in keys]) if keys else rows

    def batches(
        self, table: str, version: int | None, columns: Sequence[str], scope: Scope | None = None
    ) -> Iterator[pa.RecordBatch]:
        """What `read` gives, some rows at a time and as they lie in the files, for a table that may
        be larger than the memory.

        Yields:
            Batches of rows.
        """
        empty = True
        for path, mask in self._files(table, version):
            for batch in file_batches(path, columns, scope or {}, mask):
                if batch.num_rows:
                    empty = False
                    yield batch
        if empty:
            raise _without_rows(table, version)

    def _files(self, table: str, version: int | None) -> list[tuple[str, NDArray[np.bool_] | None]]:
        """The data files of a version, by their names, and which rows of each are still there."""
        folder = self.path(table)
        try:
            # to_pyarrow_table() of delta-rs can abort the interpreter at exit: its files are read
            # with pyarrow instead.
            delta = open_table(folder, version)
            names, masks = sorted(map(file_name, delta.file_uris())), row_masks(delta)
        except TableNotFoundError:
            is_whole_table(folder)  # says so where only the log is gone
            raise missing_table(table, self.root) from None
        except DeltaError as error:
            reason = str(error).splitlines()[0]
            raise errors.TableNotFoundError(
                f"Version {version} of {table} cannot be read ({reason}); run stage"
                f" {TABLES[table].stage} again."
            ) from error
        return [(f"{folder}/{name}", masks.get(name)) for name in names]

    def commit(
        self,
        rows: Rows,
        record: RunRecord,
        usable: Callable[[Scope], bool] = lambda scope: True,
    ) -> tuple[int, bool]:
        """Replace the scopes named in the record by some rows, in one commit that carries it.

        Args:
            rows: of the contract.
            record: who writes, from what.
            usable: whether the rows of a result that is already there can be left as they are.

        Returns:
            (version, added): the version that holds the rows, and False where these very results
            were already there.

        Raises:
            ConcurrentWriteError: others committed to the table at every attempt.
        """

        def attempt() -> tuple[int, bool]:
            try:
                return self._commit(rows, record, usable)
            except CommitFailedError as error:
                if disk_error(error) is not None:
                    raise
                raise errors.ConcurrentWriteError(
                    f"Other jobs write {record.table} at the same time ({error}); give the same"
                    " command again."
                ) from error

        return commit_again(record.table, attempt)

    def _commit(
        self,
        rows: Rows,
        record: RunRecord,
        usable: Callable[[Scope], bool],
    ) -> tuple[int, bool]:
        contract, path = TABLES[record.table], self.path(record.table)
        history, lost = self.history(record.table), self.lost_files(record.table)
        if lost:
            self._drop(path, lost, with_losses(replace(record, scopes={}), history, lost))
        elif holds_results(history, record) and all(usable(scope_of(key)) for key in record.scopes):
            return history[0].version, False
        scopes = tuple(scope_of(key) for key in record.scopes if key)
        # Before any file, so that one without a log is known from one whose commit is to come.
        Path(path, "_delta_log").mkdir(parents=True, exist_ok=True)
        found, written = arrow_rows(rows, contract), record.to_json()
        if table_exists(path):
            replaced = scopes if _has_scope(path, contract.scope) else ()
            table = open_table(path, to_commit=True)
            replace_rows(table, Path(path), found, contract.scope, replaced, written)
        else:
            create_table(Path(path), found, contract.scope, self._properties, written)
        return version_of(self.history(record.table, RECENT), record), True

    def _drop(self, path: str, lost: Sequence[LostFile], record: RunRecord) -> None:
        """Let the log no longer name some files; those that are there get another name."""
        for file in lost:
            if file.exists:
                Path(path, file.name).rename(Path(path, f".{file.name}.damaged"))
        metadata = CommitProperties(custom_metadata={"userMetadata": record.to_json()})
        open_table(path, to_commit=True).repair(commit_properties=metadata)


def _without_rows(table: str, version: int | None) -> errors.InputDataError:
    stage = TABLES[table].stage
    return errors.InputDataError(
        f"Version {version} of {table} has no rows; run stage {stage} on a longer log."
    )


def _has_scope(path: str, scope: Sequence[str]) -> bool:
    """Whether a table has the columns of its scope; one without a scope has."""
    if not table_exists(path):
        return True
    names = {field.name for field in DeltaTable(path).schema().fields}
    return names.issuperset(scope)
