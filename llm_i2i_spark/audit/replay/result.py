"""What a replay of a run found, as plain data, and as text and HTML."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from llm_i2i_spark.base.contract import scope_key
from llm_i2i_spark.base.printed import Printed

State = Literal["equal", "differs", "not replayed", "left out"]


@dataclass(frozen=True)
class TableReplay:
    """One table that a stage wrote, then and now.

    Attributes:
        table: its name.
        version: that the run wrote.
        rows: that the run wrote, of the results in question.
        rows_again: that the replay wrote.
        digest: of the rows of the run, in any order.
        digest_again: of those of the replay.
        differing: rows of the run that the replay has not, or has fewer times.
    """

    table: str
    version: int
    rows: int
    rows_again: int
    digest: str
    digest_again: str
    differing: int

    @property
    def is_equal(self) -> bool:
        """Whether the rows are the same."""
        return (self.rows, self.digest) == (self.rows_again, self.digest_again)

    def line(self) -> str:
        """In one line."""
        name = f"{self.table} v{self.version}"
        if self.is_equal:
            return f"{name}: the same {self.rows:,} rows (digest {self.digest[:12]})"
        return (
            f"{name}: {self.differing:,} of {self.rows:,} rows differ, {self.rows_again:,} rows"
            f" again (digest {self.digest[:12]} → {self.digest_again[:12]})"
        )


@dataclass(frozen=True)
class StageReplay:
    """One execution of a stage in a run.

    Attributes:
        stage: its name.
        scopes: the results that it made.
        state: whether the replay wrote the same rows; `not replayed` where it could not be done,
            `left out` where nobody asked for it.
        reason: why it was not; empty otherwise.
        seconds: that it took, wall clock.
        tables: what it wrote, then and now.
        environment: of one that differs, which libraries and which parts of the machine are other
            ones than then; empty where none is, or where nothing says what they were.
    """

    stage: str
    scopes: tuple[dict[str, str], ...]
    state: State
    reason: str
    seconds: float
    tables: tuple[TableReplay, ...]
    environment: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """For a terminal."""
        names = ", ".join(filter(None, map(scope_key, self.scopes)))
        head = f"{self.stage:<13} {self.state:<12} {names}".rstrip()
        if self.reason:
            return [head, f"  {self.reason}"]
        tables = [f"  {table.line()}" for table in self.tables]
        return [head, *tables, *(f"  {change}" for change in self.environment)]


@dataclass(frozen=True)
class RunReplay(Printed):
    """The result of `Project.replay_run`.

    Attributes:
        run_id: of the run that was replayed.
        stages: each execution of a stage, in pipeline order. Each was given what the run had read,
            not what the replay of an earlier stage wrote, so that one that differs is named alone.
    """

    run_id: str
    stages: tuple[StageReplay, ...]

    @property
    def is_equal(self) -> bool:
        """Whether every stage that was not left out was replayed and wrote the same rows."""
        states = {one.state for one in self.stages} - {"left out"}
        return states == {"equal"}

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"equal": self.is_equal, **asdict(self)}

    def lines(self) -> list[str]:
        """For a terminal."""
        lines = [f"replay of run {self.run_id}"]
        for stage in self.stages:
            lines += stage.lines()
        equal = sum(one.state == "equal" for one in self.stages)
        left = sum(one.state == "left out" for one in self.stages)
        rest = f", {left} left out" if left else ""
        return [*lines, f"{equal} of {len(self.stages)} stages wrote the same rows again{rest}"]
