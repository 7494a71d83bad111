"""Which separator stands between the fields of a text, from many of its lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from llm_i2i_spark.ingest.formats.endings import ending_of
from llm_i2i_spark.ingest.formats.quoting import QuotedFields

BLANKS = "blanks"
"""The separator that is any run of blanks and tabs."""
_CANDIDATES = (",", "\t", ";", "|", "::", "\x01")
_BY_ENDING = {".tsv": "\t", ".tab": "\t", ".inter": "\t", ".item": "\t", ".user": "\t"}
_SPELLED = {"tab": "\t", "\\t": "\t", "comma": ",", "pipe": "|", "blank": BLANKS, " ": BLANKS}
_SHOWN = {"\t": "tab", "\x01": r"\x01", BLANKS: "blanks or tabs"}


@dataclass(frozen=True)
class Separator:
    """What stands between fields, and why it is taken for that."""

    text: str
    why: str

    @property
    def shown(self) -> str:
        """For a person to read."""
        return _SHOWN.get(self.text, self.text)

    @property
    def option(self) -> str:
        """As `ingest.separator` takes it."""
        return {"\t": "tab"}.get(self.text, self.text)


def find_separator(lines: Sequence[str], name: str, given: str | None) -> Separator | None:
    """The separator of a text; None where none splits its lines alike.

    Args:
        lines: the first ones.
        name: of the file, whose ending may tell.
        given: `ingest.separator`; None to find it out.
    """
    if given:
        return Separator(_SPELLED.get(given, given), "as ingest.separator says")
    ending = ending_of(name)
    if ending in _BY_ENDING:
        return Separator(_BY_ENDING[ending], f"files that end in {ending} have tabs")
    found = [one for one in map(_fit, [lines] * len(_CANDIDATES), _CANDIDATES) if one]
    blanks = _fit(lines, BLANKS)
    best = max(found or ([blanks] if blanks else []), default=None)
    if best is None:
        return Separator(",", "no line has another one") if ending == ".csv" else None
    share, width, text = best
    return Separator(text, f"{width} fields in {share:.0%} of {len(lines):,} lines")


def width_of(line: str, separator: str) -> int:
    """How many fields a line has."""
    if separator == BLANKS:
        return len(line.split())
    return QuotedFields(separator, '"').walk(line).width


def _fit(lines: Sequence[str], separator: str) -> tuple[float, int, str] | None:
    """Share of the lines that have the usual number of fields, rounded so that a few odd lines do
    not decide, that number, and the separator; None where the first line has another number.
    """
    widths = Counter(width_of(line, separator) for line in lines)
    if not widths:
        return None
    first = width_of(lines[0], separator)
    # The first line has the names: rows may be broken, it may not. R leaves out the name of row
    # names, so that rows have one field more.
    usual = max(widths[first], widths[first + 1])
    if first < 2 or usual < len(lines) / 2:
        return None
    return round(usual / len(lines), 1), first, separator
