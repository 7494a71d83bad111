"""What a first look at a log and its catalogue has found, as a page for a person."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from llm_i2i_spark.ingest.formats.base import Fact

_TITLES = {"interactions": "the click log", "items": "the catalogue"}
_COUNTED = {"user_id": "users", "item_id": "items", "title": "titles"}


@dataclass(frozen=True)
class TableReport:
    """One table of a first look.

    Attributes:
        table: `interactions` or `items`.
        path: as given.
        facts: what it is taken for, and why.
        options: options of section `ingest` that say so.
        raw: its columns, each with a few values; for a file without names, proposed ones.
        columns: column that ingest reads -> the raw columns behind it.
        why: column that ingest reads -> why these ones.
        rows: that were looked at.
        is_sample: whether there may be more.
        reasons: rows that would be quarantined, by reason.
        counts: different values of ids and titles among the good rows.
        events: clicks by event.
        first: earliest time, UTC; None without times.
        last: latest time, UTC.
        remarks: what is odd about them.
        example: a good row as it is read.
        problem: why it cannot be read as it is; None where it can.
    """

    table: str
    path: str
    facts: tuple[Fact, ...] = ()
    options: dict[str, str] = field(default_factory=dict)
    raw: dict[str, tuple[str, ...]] = field(default_factory=dict)
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    rows: int = 0
    is_sample: bool = False
    reasons: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    first: str | None = None
    last: str | None = None
    remarks: tuple[str, ...] = ()
    example: dict[str, str] = field(default_factory=dict)
    problem: str | None = None

    def lines(self) -> Iterator[str]:
        """For a person to read."""
        yield f"{self.path}: {_TITLES[self.table]}"
        yield ""
        for fact in self.facts:
            yield _line(fact.what, fact.value, fact.why)
        for number, (name, values) in enumerate(self.raw.items()):
            used = [column for column, names in self.columns.items() if name in names]
            what = "columns" if number == 0 else ""
            said = ", ".join(f"read as {column} ({self.why.get(column)})" for column in used)
            note = said or ("left aside" if self.columns else "")
            yield _line(what, name, "; ".join(filter(None, [note, f"such as {', '.join(values)}"])))
        if self.columns:
            yield from self._row_lines()
        if self.problem:
            yield _line("problem", self.problem, "")

    def _row_lines(self) -> Iterator[str]:
        yield _line("rows", f"{self.rows:,}", "the first ones" if self.is_sample else "all")
        bad = sum(self.reasons.values())
        reasons = ", ".join(f"{rows:,} {reason}" for reason, rows in sorted(self.reasons.items()))
        yield _line("quarantine", f"{bad:,}", reasons or "every row is good")
        for name, number in self.counts.items():
            yield _line(_COUNTED[name], f"{number:,}", "")
        if self.first:
            yield _line("times", f"{self.first} to {self.last}", "UTC")
        elif self.table == "interactions" and not {"ts", "pos"} & set(self.columns):
            yield _line("times", "none", "the order of clicks is unknown")
        if "event" in self.columns:
            shown = ", ".join(f"{name} {rows:,}" for name, rows in self.events.items())
            yield _line("events", shown, "")
        for remark in self.remarks:
            yield _line("note", remark, "")
        if self.example:
            yield _line("a row", "  ".join(f"{k}={v}" for k, v in self.example.items()), "")


@dataclass(frozen=True)
class Inspection:
    """A first look at a log and its catalogue.

    Attributes:
        tables: what was found, by table.
        joined: clicks whose item is in the catalogue, and all clicks, of the sample; None without
            one of them.
        options: what to type so that a run reads the sources in the same way.
    """

    tables: tuple[TableReport, ...]
    joined: tuple[int, int] | None
    options: dict[str, str]

    @property
    def problems(self) -> tuple[str, ...]:
        """Why tables cannot be read as they are."""
        return tuple(report.problem for report in self.tables if report.problem)

    def lines(self) -> list[str]:
        """For a person to read."""
        lines = []
        for report in self.tables:
            lines += [*report.lines(), ""]
        if self.joined is not None:
            lines += [*self._join_lines(), ""]
        if self.problems:
            lines.append("to look again, with what is proposed or what you know better:")
            command = ["llm-i2i inspect"]
        else:
            lines.append("to make an index of it:")
            command = ["llm-i2i run --variants real", "--set lake.root=my_lake"]
        command += [f"--set {shlex.quote(f'{k}={v}')}" for k, v in self.options.items()]
        return [*lines, "", "  " + " \\\n    ".join(command)]

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)

    def _join_lines(self) -> Iterator[str]:
        known, clicks = self.joined or (0, 0)
        share = known / clicks if clicks else 0.0
        yield _line("joined", f"{share:.1%}", f"{known:,} of {clicks:,} clicks are on its items")
        if clicks and not known:
            ids = [report.example.get("item_id", "nothing").strip() for report in self.tables]
            yield _line("", "none", f"the log has ids such as {ids[0]}, the catalogue {ids[1]}")

    def __str__(self) -> str:
        return "\n".join(self.lines())


def _line(what: str, value: str, why: str) -> str:
    return f"  {what:<11} {value:<24} {why}".rstrip()
