"""From a result to the results that it was made from. No Spark.

A result is named by its table, its scope and a version of the table. The run record of the commit
that wrote it says which results, at which versions, the stage had read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from llm_i2i_spark.audit.runs import utc
from llm_i2i_spark.base.contract import Scope, result_name, scope_key, split_result_name
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import TableNotFoundError
from llm_i2i_spark.base.run_record import (
    Commit,
    Histories,
    RunRecord,
    commits_behind,
    fingerprint_in,
)
from llm_i2i_spark.base.variants import BASE_BRANCH

FINGERPRINT_DIGITS = 64


@dataclass(frozen=True)
class Origin:
    """A result as a version of its table holds it, and the commit that wrote it.

    Attributes:
        table: its name.
        scope: which of the results in the table.
        version: of the table, as it is read.
        written: the version whose commit wrote these rows: an earlier one where later commits wrote
            other results or none; None where the history no longer reaches back to it.
        operation: of that commit.
        time: of that commit, UTC, ISO 8601.
        rows: how many the commit wrote; None where it does not say.
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


class Origins:
    """The results of a lake with what they were made from. The history of a table is read once.

    Args:
        histories: the tables, with Spark or without.
    """

    def __init__(self, histories: Histories) -> None:
        self._lake_histories = histories
        self._histories: dict[str, list[Commit]] = {}

    def find(self, table: str, scope: Scope, version: int | None = None) -> Origin | None:
        """A result as a version of its table (the latest without one) holds it; None without such a
        table.

        Raises:
            TableNotFoundError: the table has no such version.
        """
        history = self._history(table)
        if not history:
            return None
        latest = history[0].version
        if version is not None and not 0 <= version <= latest:
            raise TableNotFoundError(
                f"There is no version {version} of {table}, the latest is {latest}; `llm-i2i audit"
                " runs` lists what each run wrote."
            )
        return self._origin(table, scope, latest if version is None else version)

    def inputs(self, start: Origin) -> Iterator[Origin]:
        """`start` and every result that it was made from, directly or not, nearest first."""
        seen, waiting = set(), deque([start])
        while waiting:
            origin = waiting.popleft()
            key = (origin.table, scope_key(origin.scope), origin.version)
            if key not in seen:
                seen.add(key)
                yield origin
                waiting += [
                    self._origin(table, scope, self._version_read(origin, table, scope, version))
                    for table, scope, version in _direct_inputs(origin)
                    if table in TABLES
                ]

    def upstream(self, start: Origin) -> tuple[Origin, ...]:
        """`start` and every result that it was made from, against the pipeline order: from the
        index to the click log.
        """
        order = list(TABLES)
        return tuple(
            sorted(
                self.inputs(start),
                key=lambda origin: (-order.index(origin.table), -origin.version),
            )
        )

    def find_input(self, origin: Origin, table: str) -> Origin | None:
        """The nearest result in `table` that `origin` was made from (itself in its own table); None
        where there is none.
        """
        return next((one for one in self.inputs(origin) if one.table == table), None)

    def input_of(self, origin: Origin, table: str) -> Origin:
        """The nearest result in `table` that `origin` was made from (itself in its own table).

        Raises:
            TableNotFoundError: the run records name no such input, or a commit carries none.
        """
        found = self.find_input(origin, table)
        if found is not None:
            return found
        recorded(origin)
        raise TableNotFoundError(
            f"The run record of {origin.table} v{origin.written} names no input {table}; run"
            f" stage {TABLES[origin.table].stage} again."
        )

    def _origin(self, table: str, scope: Scope, version: int) -> Origin:
        """A result as a version of its table holds it: written by the last commit that names it, or
        by a later one that names nothing.
        """
        known = dict(scope)
        for commit in commits_behind(self._history(table), version):
            if not commit.changes_rows:
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

    def _version_read(self, origin: Origin, table: str, scope: Scope, version: int) -> int:
        """The version of a table that holds what a result was made from: the recorded one, or,
        where the table was made anew since and its versions began anew, the one of that content.

        Raises:
            TableNotFoundError: the table that was read is gone.
        """
        history, result = self._history(table), origin.record and origin.record.result(origin.scope)
        read = result.inputs.get(result_name(table, scope), "") if result else ""
        if not history or len(read) != FINGERPRINT_DIGITS:
            return version
        found = fingerprint_in(history, scope, version)
        if found == read and version <= history[0].version:
            return version
        for commit in history:
            made = commit.record.result(scope) if commit.record else None
            if made is not None and made.fingerprint == read:
                return commit.version
        if found is None:
            return version  # the history no longer reaches back to it
        raise TableNotFoundError(
            f"{table} was made anew since {origin.table} v{origin.written} read it, so what that"
            f" was made from is gone; run the stages from {TABLES[table].stage} again."
        )

    def _history(self, table: str) -> list[Commit]:
        if table not in self._histories:
            self._histories[table] = self._lake_histories.history(table)
        return self._histories[table]


def recorded(origin: Origin) -> Origin:
    """The origin, which must have a run record.

    Raises:
        TableNotFoundError: it has none; the sentence says what to run.
    """
    if origin.record is not None:
        return origin
    stage = TABLES[origin.table].stage
    if origin.written is None:
        raise TableNotFoundError(
            f"The history of {origin.table} no longer reaches back to version {origin.version}; run"
            f" the stages from {stage} again."
        )
    raise TableNotFoundError(
        f"{origin.table} v{origin.written} carries no run record ({origin.operation} by something"
        " else than this package), so nothing says what it was made from; run: llm-i2i run"
        f" --config FILE --from {stage}"
    )


def _direct_inputs(origin: Origin) -> Iterator[tuple[str, dict[str, str], int]]:
    """Table, scope and version of each result that a result was made from.

    Records of version 0.1 name tables alone; there a variant's rows come from the same variant, and
    all that models wrote is of the base branch.
    """
    if origin.record is None:
        return
    versions = origin.record.reads
    result = origin.record.result(origin.scope)
    if result is not None and result.inputs:
        for name in result.inputs:
            table, scope = split_result_name(name)
            yield table, scope, versions[table]
        return
    values = {"branch": BASE_BRANCH, **origin.scope}
    for table, version in versions.items():
        columns = TABLES[table].scope if table in TABLES else ()
        yield table, {one: values[one] for one in columns if one in values}, version
