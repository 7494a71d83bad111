"""What differs between two versions of the index, as plain data, and as text and HTML."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

from llm_i2i_spark.audit.index_diff.causes import Cause, InputVersions
from llm_i2i_spark.base.contracts import ITEM_INDEX
from llm_i2i_spark.base.extras import optional_imports
from llm_i2i_spark.base.files import write_atomically
from llm_i2i_spark.prompts.render import clean_text

TITLE_CHARS = 48


@dataclass(frozen=True)
class SliceChanges:
    """How many lists and neighbours differ.

    Attributes:
        name: of the slice of items: all, head or long_tail.
        lists_before: of the earlier version.
        lists_after: of the later one.
        changed: lists with other neighbours, another order, or that only one version has.
        came: neighbours that only the later lists have.
        went: neighbours that only the earlier lists have.
        moved: neighbours of both at another rank.
        rescored: neighbours of both with another score.
    """

    name: str
    lists_before: int
    lists_after: int
    changed: int
    came: int
    went: int
    moved: int
    rescored: int


@dataclass(frozen=True)
class NeighborChange:
    """A neighbour of one list.

    Attributes:
        item_id: the neighbour.
        title: of it; None without one.
        before: its rank from 1; None where it came.
        after: its rank from 1; None where it went.
    """

    item_id: str
    title: str | None
    before: int | None
    after: int | None

    def __str__(self) -> str:
        name = _named(self.item_id, self.title)
        if self.before is None:
            return f"{name} came at {self.after}"
        if self.after is None:
            return f"{name} went from {self.before}"
        return f"{name} {self.before} → {self.after}"


@dataclass(frozen=True)
class ListExample:
    """One changed list.

    Attributes:
        item_id: whose list.
        title: of the item; None without one.
        changed: how many neighbours came, went or moved.
        neighbors: the first of them: those that came and went before those that moved, by rank.
    """

    item_id: str
    title: str | None
    changed: int
    neighbors: tuple[NeighborChange, ...]

    def __str__(self) -> str:
        name = _named(self.item_id, self.title)
        shown = "; ".join(map(str, self.neighbors))
        more = self.changed - len(self.neighbors)
        return f"{name}: {shown}" + (f"; and {more:,} more" if more else "")


@dataclass(frozen=True)
class SystemDiff:
    """What differs in the index of one variant and backbone, and why.

    Attributes:
        variant: what the index is made from.
        backbone: the item-to-item model.
        slices: all items, then the head and the long tail where the lake knows them.
        examples: the lists that differ most.
        inputs: every result upstream, from the log to the index.
        causes: what was given otherwise, from the log to the index.
    """

    variant: str
    backbone: str
    slices: tuple[SliceChanges, ...]
    examples: tuple[ListExample, ...]
    inputs: tuple[InputVersions, ...]
    causes: tuple[Cause, ...]

    @property
    def is_same(self) -> bool:
        """Whether lists and scores are equal."""
        total = self.slices[0]
        return not (total.changed or total.rescored)

    @property
    def is_alone(self) -> bool:
        """Whether only one of the versions has any lists of it."""
        total = self.slices[0]
        return not (total.lists_before and total.lists_after)

    @property
    def verdict(self) -> str:
        """What differs, in a few words."""
        return _verdict(self)


@dataclass(frozen=True)
class IndexDiff:
    """What differs between two versions of the table `item_index`.

    Attributes:
        before: the earlier version.
        after: the later version.
        systems: of either version, by backbone and variant.
    """

    before: int
    after: int
    systems: tuple[SystemDiff, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def save(self, path: str | Path) -> None:
        """Write it as a page of HTML.

        Args:
            path: of the file; local or a URI.

        Raises:
            MissingDependencyError: the extra `report` is not installed.
        """
        from llm_i2i_spark.audit.index_diff.page import diff_page

        with optional_imports():
            page = diff_page(self)
        write_atomically(path, page)

    def lines(self) -> list[str]:
        """For a terminal."""
        lines = [f"item_index v{self.before} → v{self.after}"]
        for system in self.systems:
            lines += ["", f"{system.variant} ({system.backbone}): {system.verdict}"]
            if not system.is_same:
                lines += _indented(_table(system.slices))
            if system.is_alone:
                continue
            lines += _section("why", [str(cause) for cause in system.causes])
            lines += _section("made from", _made_from(system))
            lines += _section("lists that differ most", [str(one) for one in system.examples])
        return lines

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        parts = [f"<h3>item_index v{self.before} → v{self.after}</h3>"]
        for system in self.systems:
            name = escape(f"{system.variant} ({system.backbone}): {system.verdict}")
            parts.append(f"<h4>{name}</h4>{_html_table(_cells(system.slices))}")
            for title, entries in (
                ("why", system.causes),
                ("made from", _made_from(system)),
                ("lists that differ most", system.examples),
            ):
                if entries:
                    items = "".join(f"<li>{escape(str(one))}</li>" for one in entries)
                    parts.append(f"<p>{title}</p><ul>{items}</ul>")
        return "".join(parts)


def _verdict(system: SystemDiff) -> str:
    total = system.slices[0]
    if system.is_same:
        return f"the same {total.lists_after:,} lists"
    if system.is_alone:
        side = "earlier" if total.lists_before else "later"
        return f"only the {side} version has it"
    if not total.changed:
        return f"the same lists, {total.rescored:,} neighbours with another score"
    lists = max(total.lists_before, total.lists_after)
    return f"{total.changed:,} of {lists:,} lists have changed"


def _made_from(system: SystemDiff) -> list[str]:
    """The results upstream that differ, and how many do not."""
    upstream = [one for one in system.inputs if one.table != ITEM_INDEX.name]
    differ = [str(one) for one in upstream if one.differs]
    same = len(upstream) - len(differ)
    if not same:
        return differ
    return [*differ, f"{same} {'others' if differ else 'results'}: the same"]


def _named(item: str, title: str | None) -> str:
    if not title:
        return item
    # A title comes from outside: cleaned, it can move no cursor and break no line.
    return f"{clean_text(title, TITLE_CHARS)} ({item})"


_HEAD = ("slice", "lists before", "after", "changed", "came", "went", "moved", "rescored")


def _cells(slices: tuple[SliceChanges, ...]) -> list[tuple[str, ...]]:
    numbers = [
        (
            one.lists_before,
            one.lists_after,
            one.changed,
            one.came,
            one.went,
            one.moved,
            one.rescored,
        )
        for one in slices
    ]
    names = [one.name for one in slices]
    return [
        _HEAD,
        *((name, *(f"{n:,}" for n in row)) for name, row in zip(names, numbers, strict=True)),
    ]


def _table(slices: tuple[SliceChanges, ...]) -> list[str]:
    cells = _cells(slices)
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEAD))]
    return [
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]


def _html_table(cells: list[tuple[str, ...]]) -> str:
    head, *rows = cells
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{''.join(f'<th>{one}</th>' for one in head)}</tr>{body}</table>"


def _section(title: str, entries: list[str]) -> list[str]:
    return [f"  {title}", *_indented(entries, 4)] if entries else []


def _indented(lines: list[str], by: int = 2) -> list[str]:
    return [" " * by + line for line in lines]
