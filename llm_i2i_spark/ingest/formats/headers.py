"""The names of delimited columns: from a first line, from `ingest.header`, and a first line that
looks like data noticed.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

from llm_i2i_spark.base.errors import ConfigError, InputDataError
from llm_i2i_spark.ingest.formats.base import INTERNAL
from llm_i2i_spark.ingest.formats.quoting import QuoteStyle
from llm_i2i_spark.ingest.formats.separators import BLANKS, Separator

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_TIME = re.compile(r"1\d{9}(\d{3})?(\.\d+)?|\d{4}-\d\d?-\d\d?([T ].*)?")
_TYPED = re.compile(r"(.+):(token|float|token_seq|float_seq)")


class NoHeaderError(InputDataError):
    """The first line of a delimited file is data.

    Attributes:
        header: a proposal for `ingest.header`.
        rows: the fields of the first lines.
    """

    def __init__(self, message: str, header: tuple[str, ...], rows: list[list[str]]) -> None:
        super().__init__(message)
        self.header, self.rows = header, rows

    def with_formats(self, names: Sequence[str]) -> NoHeaderError:
        """The same with the public data sets that publish such files."""
        if not names:
            return self
        listed = ", ".join(f"ingest.format={name}" for name in names)
        message = f"{str(self).rstrip('.')}; if it is of a public data set, {listed} knows them."
        return NoHeaderError(message, self.header, self.rows)


class WrongHeaderError(ConfigError):
    """A header has another number of names than the lines have fields."""


def split_fields(line: str, separator: str, style: QuoteStyle) -> list[str]:
    """The fields of one line."""
    if separator == BLANKS:
        return line.split()
    if len(separator) > 1 or not style.quoted:
        return line.split(separator)
    return next(
        csv.reader(
            [line],
            delimiter=separator,
            skipinitialspace=True,
            doublequote=style.escape == '"',
            escapechar=None if style.escape == '"' else style.escape,
        ),
        [],
    )


def column_names(fields: Sequence[str]) -> tuple[str, ...]:
    """Names of columns from the fields of a first line: without blanks around them, without
    RecBole's types (`user_id:token`), `_c0` for the one in front that has none, and each once.
    """
    typed = [_TYPED.fullmatch(name.strip()) for name in fields]
    names = (
        [match.group(1) for match in typed if match]
        if fields and all(typed)
        else [name.strip() for name in fields]
    )
    taken = {name.lower() for name in INTERNAL}
    unique = []
    for number, name in enumerate(names):
        chosen = name or f"_c{number}"
        while chosen.lower() in taken:
            chosen += "_2"
        taken.add(chosen.lower())
        unique.append(chosen)
    return tuple(unique)


def names_of(rows: list[list[str]]) -> tuple[str, ...]:
    """Names of columns from a first line, with one more where every row has a field more: at the
    end, where rows end with a separator; in front, where R writes the names of rows.
    """
    names, rest = column_names(rows[0] if rows else ()), rows[1:]
    if not rest or any(len(row) != len(names) + 1 for row in rest):
        return names
    if not any(row[-1].strip() for row in rest):
        return (*names, f"_c{len(names)}")
    unique = len({row[0] for row in rest}) == len(rest)
    return ("_row_name", *names) if unique else names


def check_header(
    rows: list[list[str]],
    given: tuple[str, ...],
    known: frozenset[str],
    separator: Separator,
    *,
    path: str,
    table: str,
) -> None:
    """Notice a first line that is data, or a header that does not fit it.

    Args:
        rows: the fields of the first lines.
        given: `ingest.header`; empty where the first line has the names.
        known: names of columns that a log or a catalogue may have.
        separator: between the fields, for messages.
        path: of the table, for messages.
        table: `interactions` or `items`.

    Raises:
        NoHeaderError: the first line looks like data.
        WrongHeaderError: the header has another number of names than the line has fields, a name
            twice, or the first line has names.
    """
    first = rows[0] if rows else []
    if not given:
        if looks_like_data(rows, known):
            proposal = propose_header(rows, table)
            raise NoHeaderError(
                f"The first line of {path} looks like data ({_shown(first)}), not like names; say"
                f" what its {len(first)} columns are, in order: --set ingest.header.{table}="
                f"{','.join(proposal)} (a name such as x3 leaves a column aside).",
                proposal,
                rows,
            )
        return
    if len(given) != len(first):
        raise WrongHeaderError(
            f"ingest.header.{table} has {len(given)} names and the first line of {path} has"
            f" {len(first)} fields ({_shown(first)}), split at {separator.shown}; give a name for"
            " each, in order."
        )
    if len({name.lower() for name in given}) < len(given):
        raise WrongHeaderError(f"ingest.header.{table} has a name twice; give each one once.")
    if all(cell.strip().lower() in known for cell in first):
        raise WrongHeaderError(
            f"ingest.header.{table} is for files without names, and the first line of {path} has"
            f" some ({_shown(first)}); leave it out, and map names with ingest.columns."
        )


def looks_like_data(rows: list[list[str]], known: frozenset[str]) -> bool:
    """Whether a first line has no name that is known, but a number, a time, or a value that its
    column has again.
    """
    first = [cell.strip() for cell in rows[0]] if rows else []
    if any(cell.lower() in known for cell in first):
        return False
    others = [row for row in rows[1:] if len(row) == len(first) and row != rows[0]]
    return any(
        _NUMBER.fullmatch(cell)
        or _TIME.fullmatch(cell)
        or (cell and any(row[number].strip() == cell for row in others))
        for number, cell in enumerate(first)
    )


def propose_header(rows: list[list[str]], table: str) -> tuple[str, ...]:
    """Names for columns without any, from what the first rows hold."""
    width = len(rows[0])
    wanted = ["user_id", "item_id"] if table == "interactions" else ["item_id", "title"]
    names = []
    for number in range(width):
        cells = [row[number].strip() for row in rows if len(row) == width]
        if table == "interactions" and "ts" not in names and all(map(_TIME.fullmatch, cells)):
            names.append("ts")
        else:
            names.append(wanted.pop(0) if wanted else f"x{number + 1}")
    return tuple(names)


def _shown(fields: Sequence[str]) -> str:
    shown = ", ".join(field.strip() for field in fields)
    return shown if len(shown) <= 120 else shown[:117] + "..."
