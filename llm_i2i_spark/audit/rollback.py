"""The index, and all that it was made from, back to a former version.

Each table gets a new commit that brings the rows of its former version back, so nothing is lost: a
rollback can be rolled back. No data is copied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from llm_i2i_spark import __version__
from llm_i2i_spark.audit.origins import Origins
from llm_i2i_spark.audit.runs import utc
from llm_i2i_spark.base.contract import result_name, scope_key, scope_of
from llm_i2i_spark.base.contracts import ITEM_INDEX, TABLES
from llm_i2i_spark.base.errors import ConfigError, TableNotFoundError
from llm_i2i_spark.base.printed import Printed
from llm_i2i_spark.base.run_record import (
    ERASED_ROWS,
    RESTORED_VERSION,
    Commit,
    Histories,
    RunRecord,
    commits_behind,
    fingerprint_in,
    new_run_id,
    now,
)

if TYPE_CHECKING:
    from llm_i2i_spark.config.config import Config
    from llm_i2i_spark.lake.tables import Lake

STAGE = "rollback"
"""The stage that run records of these commits name."""


@dataclass(frozen=True)
class TableRollback:
    """What happens to one table.

    Attributes:
        table: its name.
        current: its latest version.
        version: whose rows come back.
        time: of that version's commit, UTC, ISO 8601.
        notes: results at that version that the index was not made from, as sentences.
    """

    table: str
    current: int
    version: int
    time: str
    notes: tuple[str, ...] = ()

    def line(self) -> str:
        """In one line."""
        text = f"{self.table:<20} v{self.current} now; the rows of v{self.version} ({self.time})"
        return "; ".join((f"{text} come back as v{self.current + 1}", *self.notes))


@dataclass(frozen=True)
class RollbackPlan(Printed):
    """What a rollback would do.

    Attributes:
        index_version: the version of `item_index` that comes back.
        run_id: of the run that wrote it; None where something else did.
        tables: that get a new commit, in pipeline order; `item_index` is the last to change.
        unchanged: tables of the index that hold the same rows as then.
    """

    index_version: int
    run_id: str | None
    tables: tuple[TableRollback, ...]
    unchanged: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """For a terminal."""
        head = f"back to item_index v{self.index_version} (run {self.run_id or 'unknown'})"
        if not self.tables:
            return [head, "every table holds these rows already"]
        same = f"the same as then: {', '.join(self.unchanged)}" if self.unchanged else ""
        return [head, *(one.line() for one in self.tables), *([same] if same else [])]


@dataclass(frozen=True)
class Rollback(Printed):
    """What a rollback did.

    Attributes:
        run_id: of the records of its commits.
        plan: what it followed.
        versions: the new version of each table.
    """

    run_id: str
    plan: RollbackPlan
    versions: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """For a terminal."""
        done = ", ".join(f"{table} v{version}" for table, version in self.versions.items())
        index = f"item_index v{self.plan.index_version}"
        if not done:
            return self.plan.lines()
        return [
            f"run {self.run_id} brought {index} back: {done}",
            "undo it with: llm-i2i audit rollback --version"
            f" {self.versions.get(ITEM_INDEX.name, self.plan.index_version + 1) - 1}",
        ]


def plan_rollback(
    lake: Histories, version: int, tables: Sequence[str] | None = None
) -> RollbackPlan:
    """What has to come back for the index to be a former version again.

    Args:
        lake: the tables, with Spark or without.
        version: of `item_index`.
        tables: to bring back; None for the index and all that it was made from, so that the latest
            versions fit each other.

    Raises:
        TableNotFoundError: no run wrote that version, or files of one are gone.
        ConfigError: the index was not made from one of `tables`, or rows of forgotten users would
            come back.
    """
    history = lake.history(ITEM_INDEX.name)
    origins, found = Origins(lake), {ITEM_INDEX.name: version}
    read: dict[str, dict[str, str]] = {}
    scopes = _scopes(history, version)
    if not scopes:
        raise TableNotFoundError(
            f"item_index v{version} holds no index that a run wrote; `llm-i2i audit runs` lists the"
            " versions that do."
        )
    for scope in scopes:
        index = origins.find(ITEM_INDEX.name, scope, version)
        for origin in origins.upstream(index) if index else ():
            found[origin.table] = max(origin.version, found.get(origin.table, 0))
            result = origin.record.result(origin.scope) if origin.record else None
            if result is not None:
                read.setdefault(origin.table, {})[scope_key(origin.scope)] = result.fingerprint
    for name in tables or ():
        if name not in found:
            raise ConfigError(
                f"item_index v{version} was not made from a table {name}; it was made from"
                f" {', '.join(one for one in TABLES if one in found)}."
            )
    changes, unchanged = [], []
    for table in TABLES:
        if table not in found or (tables and table not in tables):
            continue
        if _same_rows(lake.history(table), found[table]):
            unchanged.append(table)
        else:
            changes.append(_table(lake, table, found[table], read.get(table, {})))
    (made,) = [one for one in history if one.version == version]
    run_id = made.record.run_id if made.record else None
    return RollbackPlan(version, run_id, tuple(changes), tuple(unchanged))


def roll_back(lake: Lake, config: Config, plan: RollbackPlan) -> Rollback:
    """Do what a plan says. One that was stopped is finished by the same call.

    Args:
        lake: the tables.
        config: of the project, for the run records.
        plan: from `plan_rollback`.

    Raises:
        StageError: a table could not be brought back.
    """
    from llm_i2i_spark.lake.restore import restore_table

    run_id, versions = new_run_id(), {}
    for one in plan.tables:
        record = RunRecord(
            run_id=run_id,
            stage=STAGE,
            table=one.table,
            reads={one.table: one.version},
            external_inputs={},
            scopes={},
            config_digest=config.digest(),
            code_version=__version__,
            created=now(),
            started=now(),
            attributes={RESTORED_VERSION: one.version},
        )
        versions[one.table] = restore_table(lake, record)
    return Rollback(run_id, plan, versions)


def _scopes(history: Sequence[Commit], version: int) -> list[dict[str, str]]:
    """The results that a version of the index holds, by its records."""
    keys: dict[str, None] = {}
    for commit in commits_behind(history, version):
        if commit.changes_rows and commit.record is None:
            break
        for key in commit.record.scopes if commit.record else ():
            keys.setdefault(key)
    return [scope_of(key) for key in keys]


def _same_rows(history: Sequence[Commit], version: int) -> bool:
    """Whether the latest version of a table holds the rows of a former one."""
    return _last_change(history, None) == _last_change(history, version)


def _last_change(history: Sequence[Commit], version: int | None) -> int | None:
    behind = commits_behind(history, version)
    return next((one.version for one in behind if one.changes_rows), None)


def _table(lake: Histories, table: str, version: int, read: dict[str, str]) -> TableRollback:
    history = lake.history(table)
    made = next((one for one in history if one.version == version), None)
    if made is None or lake.lost_files(table, version):
        raise TableNotFoundError(
            f"{table} v{version} cannot come back, since its files are gone; `llm-i2i audit verify`"
            " lists the versions that can, and --table names those to bring back."
        )
    if _holds_forgotten(history, version):
        raise ConfigError(
            f"{table} v{version} holds rows of users that were forgotten since, and they are not"
            " brought back: make the index again with `llm-i2i run`, or bring its lists back alone"
            f" with --table {ITEM_INDEX.name}."
        )
    notes = tuple(_other_results(table, history, version, read))
    return TableRollback(table, history[0].version, version, utc(made.timestamp)[:19] + "Z", notes)


def _holds_forgotten(history: Sequence[Commit], version: int) -> bool:
    """Whether rows that were deleted for forgotten users would come back with a version."""
    own = {commit.version for commit in commits_behind(history, version)}
    erasures = [one for one in history if one.record and ERASED_ROWS in one.record.attributes]
    return any(one.version not in own for one in erasures)


def _other_results(
    table: str, history: Sequence[Commit], version: int, read: dict[str, str]
) -> Iterator[str]:
    for key, fingerprint in read.items():
        if fingerprint and fingerprint_in(history, scope_of(key), version) != fingerprint:
            name = result_name(table, scope_of(key))
            yield f"{name} is a later one there than the index was made from"
