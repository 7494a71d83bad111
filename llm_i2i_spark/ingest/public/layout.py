"""How one table of a public data set is written. No Spark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Layout:
    """One table of one edition of a public data set.

    Attributes:
        columns: column that ingest reads -> the file's; the first that is not null counts.
        files: names of the published files.
        format: as in `ingest.format`.
        header: names of the columns, in order, where the file has none.
        separator: between the fields; None to find it out.
        quoted: False where quotes are text.
        encoding: where the bytes are not UTF-8.
        fields: DDL of the JSON fields that are read; numbers as text, so that ids and times stay as
            written.
        explode: the column with the list of clicks.
        signature: columns by which the table is recognised; empty for none.
        lists: columns whose text is a list -> its separator.
        flags: columns that are `1` where a category holds; their names become the column `genres`.
    """

    columns: Mapping[str, tuple[str, ...]]
    files: tuple[str, ...] = ()
    format: str = "csv"
    header: tuple[str, ...] = ()
    separator: str | None = None
    quoted: bool | None = None
    encoding: str | None = None
    fields: str = ""
    explode: str | None = None
    signature: frozenset[str] = frozenset()
    lists: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
