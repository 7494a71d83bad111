"""What a commit says of its own origin, and what can be read from it: the run record.

Every commit of the lake carries one, as JSON in Delta's `userMetadata`. A table in which results
stand side by side is written scope by scope; the record names the scopes of its commit, each with
the fingerprint of the result (see `base.fingerprint`).
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from itertools import takewhile
from typing import Any, Protocol

from llm_i2i_spark.base.contract import Scope, scope_key

SAME_ROWS = frozenset(
    {"OPTIMIZE", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES", "UNSET TBLPROPERTIES"}
    | {"ADD CONSTRAINT", "DROP CONSTRAINT", "CLUSTER BY", "REORG", "UPGRADE PROTOCOL"}
    | {"ADD FEATURE", "DROP FEATURE", "COMPUTE STATS", "CREATE TABLE", "ADD COLUMNS"}
)
"""Delta's names of operations that leave the rows of a table as they are."""
LOST_FILES = "lost_files"
"""Attribute of a run record: data files that its commit dropped, since they were lost."""
RESTORED_VERSION = "restored_version"
"""Attribute of a run record: the version of the table whose rows its commit brought back."""
ERASED_ROWS = "erased_rows"
"""Attribute of a run record: rows of forgotten users that its commit deleted, by scope."""
ERASED_USERS = "erased_users"
"""Attribute of the same record: the hashes of these users in the lake's list (`lake.forgotten`)."""


@dataclass(frozen=True)
class ScopeResult:
    """One result in a table.

    Attributes:
        fingerprint: digest of everything the result depends on; empty where rows of the result were
            lost with their files, and the commit dropped what the log still said of them.
        inputs: fingerprint of each result that was read, by table and scope.
        code_digest: of the code that the result depends on; empty where it was not recorded.
    """

    fingerprint: str
    inputs: dict[str, str] = field(default_factory=dict)
    code_digest: str = ""


@dataclass(frozen=True)
class RunRecord:
    """The origin of a commit. Row counts stand in the commit's own metrics.

    Attributes:
        run_id: shared by all stages that one command executes.
        stage: that wrote the commit.
        table: that was written.
        reads: version of each table that was read.
        external_inputs: digest of each input outside the lake (raw files), by name.
        scopes: the results in the commit, by `contract.scope_key`; the key is empty where the
            commit replaced the whole table.
        settings: the options that the result depends on, by dotted key.
        config_digest: of the whole configuration.
        code_version: of the package.
        created: UTC, ISO 8601.
        started: likewise, when the stage began with the work of this commit; empty if unknown.
        attributes: what else the stage has to say.
        environment: libraries and machine, as in `base.environment`; empty if unknown.
    """

    run_id: str
    stage: str
    table: str
    reads: dict[str, int]
    external_inputs: dict[str, str]
    scopes: dict[str, ScopeResult]
    config_digest: str
    code_version: str
    created: str
    started: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """The record as one line of JSON with sorted keys."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str | None) -> RunRecord | None:
        """The record in a commit's metadata; None where the commit is not one of ours.

        Records of version 0.1 are read too: they had one fingerprint for the whole table.
        """
        try:
            values: dict[str, Any] = json.loads(text or "")
            values = _of_version_0_1(values) if "fingerprint" in values else values
            code = {"code_digest": values.pop("code_digest", "")}  # once for all of a commit
            results = values.pop("scopes")
            scopes = {key: ScopeResult(**{**code, **result}) for key, result in results.items()}
            return cls(scopes=scopes, **values)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None

    def result(self, scope: Scope) -> ScopeResult | None:
        """The result of a scope in this commit; None where it holds only others."""
        return self.scopes.get(scope_key(scope), self.scopes.get(""))


def _of_version_0_1(values: Mapping[str, Any]) -> dict[str, Any]:
    renamed = {"inputs": "reads", "sources": "external_inputs", "details": "attributes"}
    record = {renamed.get(name, name): value for name, value in values.items()}
    record["scopes"] = {"": {"fingerprint": record.pop("fingerprint")}}
    return record


@dataclass(frozen=True)
class Commit:
    """One version of a table.

    Attributes:
        version: of the table.
        timestamp: when.
        operation: Delta's name for what was done, such as `WRITE`.
        rows: how many it wrote; None where it does not say.
        record: its run record; None where something else than this package wrote it.
    """

    version: int
    timestamp: datetime
    operation: str
    rows: int | None
    record: RunRecord | None

    @property
    def seconds(self) -> float | None:
        """Wall clock from the begin of the stage's work to this commit; None where it does not
        say.
        """
        if self.record is None or not self.record.started:
            return None
        return (self.timestamp - datetime.fromisoformat(self.record.started)).total_seconds()

    @property
    def restored_version(self) -> int | None:
        """The version whose rows it brought back; None where it did not."""
        version = self.record.attributes.get(RESTORED_VERSION) if self.record else None
        return version if isinstance(version, int) else None

    @property
    def changes_rows(self) -> bool:
        """Whether the rows of the table may differ from those of the version before."""
        return self.record is not None or self.operation not in SAME_ROWS


@dataclass(frozen=True)
class LostFile:
    """A data file that is missing, or not as long as the log of its table says.

    Attributes:
        name: below the table's folder.
        exists: whether a file of this name is there.
        bounds: smallest and largest value by column, for the columns whose bounds are known.
    """

    name: str
    exists: bool
    bounds: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def may_hold(self, scope: Scope) -> bool:
        """Whether rows of a scope may have been in it."""
        return all(
            name not in self.bounds or self.bounds[name][0] <= value <= self.bounds[name][1]
            for name, value in scope.items()
        )


class Histories(Protocol):
    """What knows the commits of the tables: a lake, with Spark or without."""

    def history(self, table: str, limit: int | None = None) -> list[Commit]:
        """The commits of a table, latest first; empty where it does not exist."""

    def lost_files(self, table: str, version: int | None = None) -> list[LostFile]:
        """The data files of a version (the latest without one) that are not as its log says; empty
        also where only reading them would tell.
        """


def commits_behind(history: Sequence[Commit], version: int | None = None) -> Iterator[Commit]:
    """The commits that a version of a table goes back to, latest first; behind one that brought
    rows back, those of the version that they are of.

    Args:
        history: the commits of the table, latest first.
        version: of the table; None for the latest.
    """
    for commit in history:
        if version is not None and commit.version > version:
            continue
        if commit.restored_version is not None:
            version = commit.restored_version
            continue
        yield commit


def commit_of(history: Sequence[Commit], scope: Scope, version: int | None = None) -> Commit | None:
    """The commit that wrote the rows of a scope, as a version of the table holds them.

    Args:
        history: the commits of the table, latest first.
        scope: whose rows.
        version: of the table; None for the latest.

    Returns:
        None where no commit did, or where something else than this package wrote rows since then,
        so that nobody can say what they are.
    """
    for commit in commits_behind(history, version):
        if not commit.changes_rows:
            continue
        if commit.record is None:
            return None
        if commit.record.result(scope) is not None:
            return commit
    return None


def fingerprint_in(
    history: Sequence[Commit], scope: Scope, version: int | None = None
) -> str | None:
    """What tells the rows of a scope, as a version of a table holds them, from others.

    Args:
        history: the commits of the table, latest first.
        scope: whose rows.
        version: of the table; None for the latest.

    Returns:
        The fingerprint of the result, another one where rows of forgotten users were deleted from
        it; version and time where something else than this package wrote the rows; None where there
        are none, or where they were lost.
    """
    commit = commit_of(history, scope, version)
    if commit is not None and commit.record is not None:
        result = commit.record.result(scope)
        if result is None or not result.fingerprint:
            return None
        erasures = erasures_since(history, commit, scope, version)
        return _less(result.fingerprint, erasures) if erasures else result.fingerprint
    foreign = foreign_commit(history, version)
    if foreign is None:
        return None
    # The time, since the versions of a table that is made anew begin anew.
    return f"version {foreign.version} of {foreign.timestamp.astimezone(timezone.utc).isoformat()}"


def erasures_since(
    history: Sequence[Commit], commit: Commit, scope: Scope, version: int | None = None
) -> list[Commit]:
    """The commits that deleted rows of forgotten users from a result, latest first.

    Args:
        history: the commits of the table, latest first.
        commit: that wrote the result.
        scope: which result.
        version: of the table, up to which is looked; None for the latest.
    """
    behind = commits_behind(history, version)
    return [
        one
        for one in takewhile(lambda one: one.version != commit.version, behind)
        if one.record is not None and scope_key(scope) in one.record.attributes.get(ERASED_ROWS, {})
    ]


def _less(fingerprint: str, erasures: Sequence[Commit]) -> str:
    runs = [commit.record.run_id for commit in erasures if commit.record is not None]
    return hashlib.sha256(" ".join([fingerprint, *runs]).encode()).hexdigest()


def foreign_commit(history: Sequence[Commit], version: int | None = None) -> Commit | None:
    """The latest commit by which something else than this package wrote rows that a version (the
    latest without one) goes back to; None without one.
    """
    behind = commits_behind(history, version)
    return next((one for one in behind if one.changes_rows and one.record is None), None)


def now() -> str:
    """This moment in UTC, as ISO 8601 with milliseconds."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def new_run_id() -> str:
    """An id that sorts by time: `20261121T054410-3f9c`."""
    return datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S") + "-" + secrets.token_hex(2)
