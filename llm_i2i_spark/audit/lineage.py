"""From a version of a table to the commit that wrote its rows, and from there to the versions it
was made from.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame, Row

from llm_i2i_spark.audit.runs import utc
from llm_i2i_spark.base.contract import Scope, scope_key, split_result_name
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.run_record import Commit, RunRecord
from llm_i2i_spark.base.variants import BASE_BRANCH
from llm_i2i_spark.lake.capabilities import SPARK_ERRORS
from llm_i2i_spark.lake.spark_progress import show_task_progress
from llm_i2i_spark.lake.tables import Lake

_GONE = (
    "FAILED_READ_FILE",
    "FileNotFound",
    "FILE_NOT_EXIST",
    "PATH_NOT_FOUND",
    "does not exist",
    "missing",
)
"""Words of the errors that a removed data file brings."""


@dataclass(frozen=True)
class Origin:
    """Where the rows of one version of a table come from.

    Attributes:
        scope: which of the results in the table.
        version: the version that was read.
        written: the version whose commit wrote these rows: an earlier one where the table was only
            tidied since; None where the history no longer reaches back to it.
        operation: of that commit.
        time: of that commit, UTC, ISO 8601.
        record: its run record; None where something else than this package wrote it.
    """

    table: str
    scope: dict[str, str]
    version: int
    written: int | None
    operation: str | None
    time: str | None
    rows: int | None
    record: RunRecord | None


class Lineage:
    """The histories of a lake's tables, each read once.

    Args:
        lake: the tables.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._histories: dict[str, list[Commit]] = {}

    def latest(self, table: str, scope: Scope) -> Origin:
        """The origin of a result in a table's latest version.

        Raises:
            UserError: there is no such table.
        """
        history = self._history(table)
        if not history:
            raise UserError(
                f"There is no table {table} yet; run stage {TABLES[table].stage} first."
            )
        return self.origin(table, history[0].version, scope)

    def input_of(self, origin: Origin, table: str) -> Origin:
        """The origin of the result in `table` that `origin` was made from.

        Raises:
            UserError: the record names no such input, or that version carries no run record.
        """
        version = self.input_version(origin, table)
        if version is None:
            raise UserError(
                f"The run record of {origin.table} v{origin.written} names no input {table}; run"
                f" stage {TABLES[origin.table].stage} again."
            )
        scope = next(scope for name, scope in _inputs(origin) if name == table)
        return recorded(self.origin(table, version, scope))

    def input_version(self, origin: Origin, table: str) -> int | None:
        """The version of `table` that `origin` was made from; None where it was not."""
        named = any(name == table for name, _ in _inputs(origin))
        return origin.record.reads.get(table) if origin.record and named else None

    def input_scope(self, origin: Origin, table: str) -> dict[str, str]:
        """Which of the results in `table` `origin` was made from."""
        return next((scope for name, scope in _inputs(origin) if name == table), {})

    def origin(self, table: str, version: int, scope: Scope) -> Origin:
        """The commit that wrote the rows of a result, as a version of its table holds them."""
        known = dict(scope)
        for commit in self._history(table):
            if commit.version > version or not commit.changes_rows:
                continue
            if commit.record is None or commit.record.result(scope) is not None:
                return Origin(
                    table,
                    known,
                    version,
                    commit.version,
                    commit.operation,
                    utc(commit.timestamp),
                    commit.rows,
                    commit.record,
                )
        return Origin(table, known, version, None, None, None, None, None)

    def upstream(self, start: Origin) -> tuple[Origin, ...]:
        """`start` and everything it was made from, in the order of the way back: from the product
        to the log.
        """
        found = {(start.table, scope_key(start.scope), start.version): start}
        waiting = deque([start])
        while waiting:
            origin = waiting.popleft()
            for table, scope in _inputs(origin):
                assert origin.record is not None
                version = origin.record.reads[table]
                key = (table, scope_key(scope), version)
                if key not in found:
                    found[key] = self.origin(table, version, scope)
                    waiting.append(found[key])
        order = list(TABLES)
        return tuple(
            sorted(found.values(), key=lambda origin: (-order.index(origin.table), -origin.version))
        )

    def _history(self, table: str) -> list[Commit]:
        if table not in self._histories:
            self._histories[table] = self._lake.history(table)
        return self._histories[table]


def collect(lake: Lake, frame: DataFrame, versions: Mapping[str, int]) -> list[Row]:
    """The rows of a query over pinned tables, with a progress bar.

    Args:
        lake: whose session runs the query.
        frame: the query.
        versions: the versions it reads, by table, for the message where one is gone.

    Raises:
        UserError: the files of a version are no longer there.
    """
    named = ", ".join(f"{table} v{version}" for table, version in versions.items())
    try:
        with show_task_progress(lake.spark, f"audit: {named}"):
            return frame.collect()
    except SPARK_ERRORS as error:
        if not any(word in str(error) for word in _GONE):
            raise
        raise UserError(
            f"The history still names {named}, but its files are gone (VACUUM removed them), so the"
            " index is newer than what can be traced; run the stages from"
            f" {TABLES[next(iter(versions))].stage} again, and keep lake.retention_days above the"
            " audit horizon."
        ) from error


def _inputs(origin: Origin) -> list[tuple[str, dict[str, str]]]:
    """The table and scope of each result that a result was made from.

    Records of version 0.1 name tables alone; there a variant's rows come from the same variant.
    """
    if origin.record is None:
        return []
    result = origin.record.result(origin.scope)
    if result is not None and result.inputs:
        return [split_result_name(name) for name in result.inputs]
    values = {"branch": BASE_BRANCH, **origin.scope}
    return [(table, _scope_in(table, values)) for table in origin.record.reads]


def _scope_in(table: str, values: Mapping[str, str]) -> dict[str, str]:
    return {name: values[name] for name in TABLES[table].scope if name in values}


def recorded(origin: Origin) -> Origin:
    """The origin, which must have a run record.

    Raises:
        UserError: it has none; the sentence says what to run.
    """
    if origin.record is not None:
        return origin
    stage = TABLES[origin.table].stage
    if origin.written is None:
        raise UserError(
            f"The history of {origin.table} no longer reaches back to version {origin.version}; run"
            f" the stages from {stage} again."
        )
    raise UserError(
        f"{origin.table} v{origin.written} carries no run record ({origin.operation} by something"
        " else than this package), so nothing says what it was made from; run: llm-i2i run"
        f" --config FILE --from {stage}"
    )
