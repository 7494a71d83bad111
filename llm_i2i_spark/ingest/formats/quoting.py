"""Quoted fields of delimited text: whether a line ends inside one, and lines joined to records."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NamedTuple

QUOTE: Literal['"'] = '"'
MAX_LINES = 5_000
"""A quoted field over more lines than this is taken for one whose end is missing."""
OPEN_QUOTE = "a quote is not closed"
BROKEN_QUOTE = "text after a closing quote"
Escape = Literal['"', "\\"]
State = Literal["whole", "open", "broken"]
_REST: dict[Escape, re.Pattern[str]] = {
    '"': re.compile(r'[^"]*(?:""[^"]*)*"(?!")'),
    "\\": re.compile(r'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL),
}
"""By what escapes a quote inside quotes: from behind the opening quote to the closing one."""


@dataclass(frozen=True)
class Record:
    """A row as text.

    Attributes:
        text: of one line, or of several that a quoted field joins.
        problem: why it is no row; None for good ones.
    """

    text: str
    problem: str | None = None


class Walk(NamedTuple):
    """A line, field by field.

    Attributes:
        state: how it ends: `whole`; `open`, inside a quoted field; or `broken`, with something
            between a closing quote and the next separator.
        width: how many fields end or begin in it.
        needed: whether a quoted field has a separator or a quote inside.
    """

    state: State
    width: int
    needed: bool = False


class QuotedFields:
    """Follows the quoted fields of lines.

    Args:
        separator: between fields.
        escape: what stands before a quote inside quotes: another quote, or a backslash.
    """

    def __init__(self, separator: str, escape: Escape) -> None:
        self._separator, self._closing = separator, _REST[escape]

    def walk(self, line: str, inside: bool = False) -> Walk:
        """Go through a line.

        Args:
            line: without its end; or a record of several lines.
            inside: whether it begins inside a quoted field.
        """
        if QUOTE not in line and not inside:
            return Walk("whole", line.count(self._separator) + 1)
        at, width, needed = 0, 1, False
        while True:
            start = at if inside else self._after_blanks(line, at)
            if inside or line.startswith(QUOTE, start):
                content = start if inside else start + 1
                closing = self._closing.match(line, content)
                if closing is None:
                    return Walk("open", width, needed)
                text = line[content : closing.end() - 1]
                needed = needed or self._separator in text or QUOTE in text
                at, inside = self._after_blanks(line, closing.end()), False
                if at < len(line) and not line.startswith(self._separator, at):
                    return Walk("broken", width, needed)
            at = line.find(self._separator, at)
            if at < 0:
                return Walk("whole", width, needed)
            at, width = at + len(self._separator), width + 1

    @staticmethod
    def _after_blanks(line: str, at: int) -> int:
        while line.startswith(" ", at):
            at += 1
        return at


@dataclass(frozen=True)
class QuoteStyle:
    """How a file quotes.

    Attributes:
        quoted: whether quotes enclose fields at all, rather than being text.
        escape: what stands before a quote inside quotes.
        spans_lines: whether a quoted field goes over several lines.
        why: in words.
    """

    quoted: bool
    escape: Escape
    spans_lines: bool
    why: str


def count_states(lines: Iterable[str], separator: str) -> Counter[str]:
    """Of lines with a quote: how many are whole, open and broken, by what would escape a quote; and
    how many have a quoted field that needs its quotes.
    """
    counts: Counter[str] = Counter()
    doubled, escaped = QuotedFields(separator, '"'), QuotedFields(separator, "\\")
    for line in lines:
        if QUOTE in line:
            counts["lines"] += 1
            walk = doubled.walk(line)
            differs = "\\" in line or '""' in line
            other = escaped.walk(line) if differs else walk
            counts['"' + walk.state] += 1
            counts["\\" + other.state] += 1
            counts["needed"] += walk.needed
            counts["enclosed"] += line.startswith(QUOTE) and line.endswith(QUOTE)
    return counts


def choose_style(counts: Counter[str], by_default: bool) -> QuoteStyle:
    """The style by which most lines are whole.

    Args:
        counts: of `count_states`.
        by_default: whether quotes enclose fields unless something speaks against it, as in CSV; in
            text between tabs they are mostly text.
    """
    if not counts["lines"]:
        return QuoteStyle(True, '"', False, "no quotes seen")
    # A line that ends inside a field may be none: the field may go on. So it counts for half.
    faults = {escape: counts[escape + "open"] + 2 * counts[escape + "broken"] for escape in _REST}
    escape: Escape = "\\" if faults["\\"] < faults['"'] else '"'
    is_open, is_broken = counts[escape + "open"], counts[escape + "broken"]
    speaks_for = counts["needed"] or counts["enclosed"] or is_open > is_broken
    if not by_default and not counts["needed"] and not counts["enclosed"]:
        return QuoteStyle(False, '"', False, "no field needs quotes, so they are text")
    if is_broken and not speaks_for:
        return QuoteStyle(False, '"', False, f"{is_broken:,} lines have quotes inside the text")
    how = "a backslash before inner quotes" if escape == "\\" else "inner quotes doubled"
    return QuoteStyle(True, escape, bool(is_open or is_broken), how)


def join_records(lines: Iterable[str], fields: QuotedFields, width: int) -> Iterator[Record]:
    """Lines joined where a quoted field goes over several. A quote that is never closed costs its
    own line alone.

    Args:
        lines: with their ends.
        fields: follows the quotes.
        width: number of fields that a joined record must have.
    """
    source, ahead = iter(lines), deque[str]()
    while (line := ahead.popleft() if ahead else next(source, None)) is not None:
        state = fields.walk(line.rstrip("\r\n")).state
        if state != "open":
            yield Record(line.rstrip("\r\n"), BROKEN_QUOTE if state == "broken" else None)
            continue
        more = _lines_to_close(ahead, source, fields)
        joined = (line + "".join(islice(ahead, more))).rstrip("\r\n")
        if more and fields.walk(joined)[:2] == ("whole", width):
            for _ in range(more):
                ahead.popleft()
            yield Record(joined)
        else:
            yield Record(line.rstrip("\r\n"), OPEN_QUOTE)


def _lines_to_close(ahead: deque[str], source: Iterator[str], fields: QuotedFields) -> int:
    """How many lines ahead, fetched as needed, it takes to close an open quote; 0 for never."""
    for number in range(MAX_LINES):
        if number == len(ahead):
            line = next(source, None)
            if line is None:
                return 0
            ahead.append(line)
        state = fields.walk(ahead[number].rstrip("\r\n"), inside=True).state
        if state != "open":
            return number + 1 if state == "whole" else 0
    return 0
