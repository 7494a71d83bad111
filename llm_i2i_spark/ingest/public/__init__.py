"""The public data sets, read as they are published: their columns, and how they are recognised."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path

from llm_i2i_spark.ingest.formats.endings import plain_name
from llm_i2i_spark.ingest.paths import local_path
from llm_i2i_spark.ingest.public import amazon, media, movielens, research, shops
from llm_i2i_spark.ingest.public.layout import Layout

PUBLIC: Mapping[str, Mapping[str, tuple[Layout, ...]]] = {
    "amazon2018": amazon.AMAZON_2018,
    "amazon2023": amazon.AMAZON_2023,
    "amazon2014": amazon.AMAZON_2014,
    "movielens": movielens.MOVIELENS,
    "mind": media.MIND,
    "otto": shops.OTTO,
    "retailrocket": shops.RETAILROCKET,
    "taobao": shops.TAOBAO,
    "yoochoose": shops.YOOCHOOSE,
    "steam": media.STEAM,
    "goodreads": media.GOODREADS,
    "gowalla": media.GOWALLA,
    "recbole": research.RECBOLE,
    "s3rec": research.S3REC,
}
"""Name in `ingest.format` -> the tables, each with a layout an edition; the more special first."""


def public_name(format: str) -> str | None:
    """The public data set that a value of `ingest.format` names; None for others."""
    return format if format in PUBLIC else None


def layout_of(public: str, table: str, name: str) -> Layout | None:
    """The layout of the edition that has such a file, else the last one; None where the data set
    has no such table.

    Args:
        public: a name in `PUBLIC`.
        table: `interactions` or `items`.
        name: of the file.
    """
    editions = PUBLIC[public].get(table, ())
    return next(
        (one for one in editions if _is_named(name, one.files)), editions[-1] if editions else None
    )


def public_by_file(table: str, name: str) -> str | None:
    """The public data set that publishes a file of this very name without a line of names."""
    plain = plain_name(Path(name).name)
    for public, tables in PUBLIC.items():
        for one in tables.get(table, ()):
            exact = [file.lower() for file in one.files if "*" not in file]
            if plain in exact and one.header:
                return public
    return "recbole" if plain.endswith((".inter", ".item")) else None


def public_by_width(table: str, width: int) -> list[str]:
    """The public data sets that publish a file without names and with so many columns."""
    return [
        public
        for public, tables in PUBLIC.items()
        if any(len(one.header) == width for one in tables.get(table, ()))
    ]


def public_by_columns(table: str, names: Collection[str]) -> str | None:
    """The public data set that has these columns; None for a table with a column `item_id`, or an
    unknown one.
    """
    if "item_id" in names:
        return None
    fits = [
        (len(one.signature), public)
        for public, tables in PUBLIC.items()
        for one in tables.get(table, ())
        if one.signature and one.signature <= set(names)
    ]
    # Of two that fit, the one that is recognised by more columns.
    return max(fits, key=lambda fit: fit[0])[1] if fits else None


def narrow_folder(path: str, table: str, public: str | None) -> str:
    """A folder of a public data set narrowed to the file of one table; other paths as they are.

    Args:
        path: as configured.
        table: `interactions` or `items`.
        public: the data set, where it is stated; else any whose two tables the folder has.
    """
    local = local_path(path)
    if local is None or not local.is_dir():
        return path
    names = [file.name for file in sorted(local.iterdir()) if file.is_file()]
    for tables in [PUBLIC[public]] if public else PUBLIC.values():
        found = {
            one: [name for layout in tables[one] for name in names if _is_named(name, layout.files)]
            for one in tables
        }
        exact = {
            one: [name for name in found[one] if _is_exact(name, tables[one])] for one in found
        }
        if exact.get(table) and (
            public or all(exact.get(one) for one in ("interactions", "items"))
        ):
            return str(local / exact[table][0])
    return path


def known_names() -> frozenset[str]:
    """Names, in small letters, that columns of public data sets have."""
    layouts = [one for tables in PUBLIC.values() for layouts in tables.values() for one in layouts]
    names = {
        name
        for one in layouts
        for name in (*one.header, *one.signature, *chain.from_iterable(one.columns.values()))
        if name not in one.flags
    }
    return frozenset(name.lower() for name in names)


def _is_named(name: str, patterns: Collection[str]) -> bool:
    plain = plain_name(Path(name).name)
    return any(fnmatch(plain, pattern.lower()) for pattern in patterns)


def _is_exact(name: str, layouts: tuple[Layout, ...]) -> bool:
    files = [file for one in layouts for file in one.files if not file.startswith("*")]
    return _is_named(name, files)
