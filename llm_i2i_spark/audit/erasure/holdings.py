"""Everything in and around a lake that holds some users."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class HeldRows:
    """Rows of the users in the latest version of a table.

    Attributes:
        lake: folder of the lake: that of the project, or that of its experiments.
        table: its name.
        scope: which result of the table, as `contract.scope_key`.
        source: `synthetic` for rows that a model proposed for them, `real` for those of the log;
            None where the table does not tell.
        rows: how many.
    """

    lake: str
    table: str
    scope: str
    source: str | None
    rows: int


@dataclass(frozen=True)
class HeldFile:
    """A file that holds the users.

    Attributes:
        path: of the file.
        table: of which it is a data file; None for another file.
        rows: of the users in it; 0 where it is no file of rows.
        versions: of the table that read it; empty where none does.
        is_live: whether the latest version reads it.
    """

    path: str
    table: str | None = None
    rows: int = 0
    versions: tuple[int, ...] = ()
    is_live: bool = False


@dataclass(frozen=True)
class TrainedModel:
    """A model that learned from a log with the users in it.

    Attributes:
        table: where it is recorded: `checkpoints`, `combiners` or `item_embeddings`.
        scope: which result, as `contract.scope_key`.
        version: of that table.
        path: folder of the model; None where the table itself holds what was learned.
        interactions: version of `interactions` that it comes from.
        is_live: whether it is the present result.
    """

    table: str
    scope: str
    version: int
    path: str | None
    interactions: int
    is_live: bool


@dataclass(frozen=True)
class SourceFile:
    """A file of the raw log or catalogue.

    Attributes:
        path: of the file, or name of the table.
        holds: whether the users are in it; None where nobody looked: it is not a file of this
            machine.
    """

    path: str
    holds: bool | None


@dataclass(frozen=True)
class Holdings:
    """What holds some users, at one moment.

    Attributes:
        users: their ids.
        are_listed: whether the lake's list keeps all of them out of later runs.
        rows: in the latest versions of the tables.
        files: data files, live or not, and other files.
        models: that were trained on them.
        stale_stages: whose present results were made from a log with them.
        sources: the raw files.
        unread: files of the lake that cannot be looked into: damaged, or of an unknown form.
    """

    users: tuple[str, ...]
    are_listed: bool
    rows: tuple[HeldRows, ...]
    files: tuple[HeldFile, ...]
    models: tuple[TrainedModel, ...]
    stale_stages: tuple[str, ...]
    sources: tuple[SourceFile, ...]
    unread: tuple[str, ...]

    @property
    def live_rows(self) -> int:
        """Rows in the latest versions of all tables."""
        return sum(one.rows for one in self.rows)

    @property
    def old_files(self) -> tuple[HeldFile, ...]:
        """Data files that no latest version reads."""
        return tuple(one for one in self.files if one.table and not one.is_live)

    @property
    def other_files(self) -> tuple[HeldFile, ...]:
        """Files that are not of a table."""
        return tuple(one for one in self.files if not one.table)

    def old_versions(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Each table with its versions, other than the latest, that still hold the users."""
        tables = dict.fromkeys(one.table for one in self.old_files if one.table)
        for table in tables:
            versions = {v for one in self.old_files if one.table == table for v in one.versions}
            yield table, tuple(sorted(versions))
