"""What a table's contract says: columns with their meaning, key, checks, and how results stand side
by side in it.

Types are Spark DDL strings, so that a contract needs neither Spark nor Arrow to be read; `lake` and
the workers derive their schemas from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Scope = Mapping[str, str]
"""Which of the results in a table is meant: a value for each column of `Table.scope`."""

BRANCH = "branch string: settings of the model stages; `base` where no variant changes them"
VARIANT = "variant string: what the rows were made from: real, llm_i2i, …"
BACKBONE = "backbone string: the item-to-item model"
"""Columns by which results stand side by side."""

UserIds = Literal["id", "votes", "text"]
"""How a column names users: by an id; by the ids of their examples (`USER|STEP`) in a list of
structs; somewhere in a text.
"""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: of the column.
        type: Spark DDL.
        description: what it holds, with its unit.
        nullable: whether null is allowed.
    """

    name: str
    type: str
    description: str
    nullable: bool = False


@dataclass(frozen=True)
class Table:
    """The contract of one Delta table.

    Attributes:
        name: also the folder under `lake.root` and the table in `lake.schema`.
        stage: the only stage that writes it.
        description: what a row is.
        key: columns that identify a row.
        columns: in the order they are written.
        scope: columns by which results stand side by side: a run replaces its own scopes and leaves
            the others as they are; empty where the table holds one result.
        checks: SQL conditions that the engine enforces on every write, by name.
        retired_checks: names of conditions that tables of earlier versions still enforce.
        cluster_by: columns of liquid clustering, by which the rows of a file are ordered, where the
            table is read by key.
        append: whether runs only add rows.
        change_feed: whether Delta keeps what each commit changed, for a stage that follows changes.
        other_user_ids: further columns in which ids of users stand, see `user_ids`.
    """

    name: str
    stage: str
    description: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    scope: tuple[str, ...] = ()
    checks: dict[str, str] = field(default_factory=dict)
    retired_checks: tuple[str, ...] = ()
    cluster_by: tuple[str, ...] = ()
    append: bool = False
    change_feed: bool = False
    other_user_ids: Mapping[str, UserIds] = field(default_factory=dict)

    @property
    def user_ids(self) -> dict[str, UserIds]:
        """The columns in which ids of users stand, and how; empty for a table that is about items
        alone.
        """
        own: dict[str, UserIds] = {"user_id": "id"} if "user_id" in self.names else {}
        return {**own, **self.other_user_ids}

    @property
    def ddl(self) -> str:
        """The columns as a Spark DDL string."""
        return ", ".join(
            f"{column.name} {column.type}{'' if column.nullable else ' NOT NULL'}"
            for column in self.columns
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The column names in order."""
        return tuple(column.name for column in self.columns)

    def scope_of(self, values: Mapping[str, str]) -> dict[str, str]:
        """Those of some values that this table's results are told apart by."""
        return {name: values[name] for name in self.scope}


def columns_of(*rows: str) -> tuple[Column, ...]:
    """Columns from lines `name type: description`; a name with a trailing `?` may be null."""
    columns = []
    for row in rows:
        head, description = row.split(": ", 1)
        name, kind = head.split(" ", 1)
        columns.append(Column(name.rstrip("?"), kind, description, name.endswith("?")))
    return tuple(columns)


def scope_key(scope: Scope) -> str:
    """A scope as text, for records and messages: `variant=real,backbone=swing`; empty for none."""
    return ",".join(f"{name}={value}" for name, value in scope.items())


def result_name(table: str, scope: Scope) -> str:
    """A result as messages and records call it: `fused[variant=real]`."""
    return f"{table}[{scope_key(scope)}]" if scope else table


def scope_of(key: str) -> dict[str, str]:
    """The scope that `scope_key` wrote."""
    return dict(part.split("=", 1) for part in key.split(",")) if key else {}


def split_result_name(name: str) -> tuple[str, dict[str, str]]:
    """The table and scope that `result_name` put together."""
    table, _, rest = name.partition("[")
    return table, scope_of(rest.removesuffix("]"))


def scope_condition(scopes: tuple[Scope, ...]) -> str:
    """The SQL condition that holds for the rows of some scopes."""
    return " OR ".join(
        "(" + " AND ".join(f"{name} = {_quoted(value)}" for name, value in scope.items()) + ")"
        for scope in scopes
    )


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
