"""What a verification of a lake found, as plain data, and as text and HTML."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from html import escape
from typing import Any

UNITS = ("B", "kB", "MB", "GB", "TB")


@dataclass(frozen=True)
class TableVerification:
    """One table.

    Attributes:
        table: its name.
        version: the latest; None where the log cannot be read.
        rows: of the latest version; None where they were not counted.
        bytes: of its data files.
        versions: how many the log still reaches.
        readable: those of them whose data files are all there.
        readable_since: time of the oldest of these, UTC, ISO 8601; None where the log does not say.
        orphan_files: files that no version names.
        orphan_bytes: of these.
        problems: what is not as it must be, a sentence each.
        notes: what is worth knowing.
    """

    table: str
    version: int | None
    rows: int | None
    bytes: int
    versions: int
    readable: tuple[int, ...]
    readable_since: str | None
    orphan_files: int
    orphan_bytes: int
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def is_ok(self) -> bool:
        """Whether everything is as it must be."""
        return not self.problems

    def line(self) -> str:
        """In one line."""
        if self.version is None:
            return f"{self.table:<20} PROBLEM  {'; '.join(self.problems)}"
        state = "ok     " if self.is_ok else "PROBLEM"
        rows = "" if self.rows is None else f"{self.rows:,} rows, "
        text = (
            f"{self.table:<20} {state}  v{self.version}, {rows}{size_text(self.bytes)};"
            f" {len(self.readable)} of {self.versions} versions readable"
        )
        if self.readable_since:
            text += f" (since {self.readable_since[:10]})"
        if self.orphan_files:
            text += f"; {self.orphan_files:,} orphan files, {size_text(self.orphan_bytes)}"
        return "; ".join([text, *self.notes, *self.problems])


@dataclass(frozen=True)
class Leftover:
    """Something that an ended run left in the lake's folder.

    Attributes:
        path: below the lake's root.
        bytes: of all its files.
        what: it is, in words.
    """

    path: str
    bytes: int
    what: str

    def line(self) -> str:
        """In one line."""
        return f"left over: {self.path} ({size_text(self.bytes)}): {self.what}"


@dataclass(frozen=True)
class Verification:
    """The result of `Project.verify`.

    Attributes:
        root: of the lake.
        tables: those that there are, in pipeline order.
        leftovers: of ended runs; they do no harm but for their bytes.
    """

    root: str
    tables: tuple[TableVerification, ...]
    leftovers: tuple[Leftover, ...]

    @property
    def is_ok(self) -> bool:
        """Whether every table is as it must be."""
        return all(table.is_ok for table in self.tables)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"ok": self.is_ok, **asdict(self)}

    def lines(self) -> list[str]:
        """A line a table, then a line for each leftover."""
        if not self.tables:
            return [f"There is no table in {self.root} yet; start with: llm-i2i run --config FILE"]
        return [one.line() for one in self.tables] + [one.line() for one in self.leftovers]

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        head = ("table", "state", "version", "rows", "readable", "orphans", "what")
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in _cells(one)) + "</tr>"
            for one in self.tables
        )
        left = "".join(f"<li>{escape(one.line())}</li>" for one in self.leftovers)
        names = "".join(f"<th>{name}</th>" for name in head)
        return f"<table><tr>{names}</tr>{rows}</table><ul>{left}</ul>"


def _cells(one: TableVerification) -> tuple[str, ...]:
    return (
        one.table,
        "ok" if one.is_ok else "problem",
        "" if one.version is None else f"v{one.version}",
        "" if one.rows is None else f"{one.rows:,}",
        f"{len(one.readable)} of {one.versions}",
        f"{one.orphan_files:,} ({size_text(one.orphan_bytes)})" if one.orphan_files else "",
        "; ".join((*one.problems, *one.notes)),
    )


def size_text(size: float) -> str:
    """Bytes in words: `1.2 MB`."""
    unit = 0
    while size >= 1000 and unit < len(UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {UNITS[unit]}" if unit else f"{size:.0f} B"
