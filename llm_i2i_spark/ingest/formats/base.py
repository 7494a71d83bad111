"""What every form of files has: options that are given, a sample that is looked at, facts that were
found, and a frame of rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from llm_i2i_spark.ingest.formats.files import RawFiles

MALFORMED = "_malformed"
"""Column of every raw frame: the text of a row that could not be parsed, null on good rows."""
REASON = "_reason"
"""Column of every raw frame: why a row could not be parsed; null for a line of the wrong form."""
LINE = "_line"
"""Column of frames whose row is a line: the line, so that quarantine shows exactly that."""
INTERNAL = (MALFORMED, REASON, LINE)


@dataclass(frozen=True)
class Fact:
    """Something that was found out about a raw table.

    Attributes:
        what: such as `separator`.
        value: such as `","`.
        why: in words, such as `4 fields in each of 200 lines`.
    """

    what: str
    value: str
    why: str


@dataclass(frozen=True)
class Given:
    """What is known of a table's files before they are looked at.

    Attributes:
        table: `interactions` or `items`.
        format: of `ingest.format`, or that of a public data set's layout; `auto` to find it out.
        separator: between the fields; None to find it out.
        encoding: of the text; None to find it out.
        fallback_encoding: of files that are not UTF-8, where a public data set is known to have
            such; None for none.
        header: names of the columns, in order, of files without a line of names.
        usual_header: the same of a public data set, for files whose first line has none of them.
        quoted: whether a quote at the start of a field begins a quoted text; None to find it out.
        fields: DDL of the JSON fields to read; empty to find them out.
        known_names: names in small letters that a column of such a table may have.
    """

    table: str
    format: str = "auto"
    separator: str | None = None
    encoding: str | None = None
    fallback_encoding: str | None = None
    header: tuple[str, ...] = ()
    usual_header: tuple[str, ...] = ()
    quoted: bool | None = None
    fields: str = ""
    known_names: frozenset[str] = frozenset()


def quoted_name(name: str) -> str:
    """A column's name as Spark takes it literally, dots and all."""
    return "`" + name.replace("`", "``") + "`"


@dataclass(frozen=True)
class Sample:
    """The first bytes of a table's files, as text.

    Attributes:
        path: as configured, for messages.
        name: of the file that was looked at, whose ending counts.
        text: its beginning.
        encoding: how it was decoded.
        complete: whether this is all there is, in this file and in others.
    """

    path: str
    name: str
    text: str
    encoding: str
    complete: bool

    def lines(self, count: int = 500) -> list[str]:
        """The first lines that are whole and not blank."""
        lines = self.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        if not self.complete and len(lines) > 1:
            lines.pop()
        return [line for line in lines[:count] if line.strip()]


class Form(Protocol):
    """How the rows of one raw table are written, found out or given."""

    @property
    def name(self) -> str:
        """As in `ingest.format`."""

    @property
    def facts(self) -> tuple[Fact, ...]:
        """What was found out, and why."""

    @property
    def options(self) -> dict[str, str]:
        """Options of section `ingest` that say what was found out."""

    def read(self, spark: SparkSession, files: RawFiles, limit: int | None) -> DataFrame:
        """The rows: columns as text (columnar files keep their types), `_malformed`, `_reason`.

        Args:
            spark: the session.
            files: where they are.
            limit: read only about so many rows; None for all.
        """
