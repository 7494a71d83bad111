"""Raw tables as Spark frames, whatever form they have: the door between files and columns.

Every frame has a column `_malformed`, the text of a row that could not be parsed, null on good
rows, and `_reason`, why it could not. Frames of JSON also have the object as it is written in
`_line`, so that a quarantined row is exactly what the file has.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import chain

from pyspark.sql import DataFrame, SparkSession

from llm_i2i_spark.base.errors import ConfigError, InputDataError
from llm_i2i_spark.base.sections.ingest import IngestConfig
from llm_i2i_spark.ingest.columns import COLUMNS, USUAL_NAMES, Chosen, find_columns
from llm_i2i_spark.ingest.formats.base import INTERNAL, Fact, Form, Given
from llm_i2i_spark.ingest.formats.columnar import TABLE, Columnar, without_faults
from llm_i2i_spark.ingest.formats.explode import explode_rows, flatten_objects
from llm_i2i_spark.ingest.formats.files import RawFiles, raw_files
from llm_i2i_spark.ingest.formats.find_form import find_form
from llm_i2i_spark.ingest.formats.headers import NoHeaderError, WrongHeaderError
from llm_i2i_spark.ingest.formats.json_text import JsonText
from llm_i2i_spark.ingest.public import (
    PUBLIC,
    known_names,
    layout_of,
    public_by_columns,
    public_by_file,
    public_by_width,
    public_name,
)
from llm_i2i_spark.ingest.public.finish import finished
from llm_i2i_spark.ingest.public.layout import Layout
from llm_i2i_spark.ingest.source_versions import SourceVersion, find_source
from llm_i2i_spark.lake.session_options import session_options
from llm_i2i_spark.lake.spark_errors import explained

_A_NAME = re.compile(r"[^\W\d][\w .:-]{0,40}|_\w+")


@dataclass(frozen=True)
class Source:
    """A raw table.

    Attributes:
        path: as configured, for messages.
        frame: its rows, read when an action needs them.
        columns: column that ingest reads -> the raw columns behind it.
        facts: what it was taken for, and why.
    """

    path: str
    frame: DataFrame
    columns: dict[str, Chosen]
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class RawTable:
    """The rows of a raw table, before anybody has asked which column is which.

    Attributes:
        path: as configured.
        frame: all columns, `_malformed`, `_reason`.
        public: the data set that it is a table of; None for unknown.
        known: column that ingest reads -> its names in that data set.
        facts: what it was taken for, and why.
        options: options of this table, without `ingest.`, by which it is read the same way.
    """

    path: str
    frame: DataFrame
    public: str | None
    known: dict[str, tuple[str, ...]]
    facts: tuple[Fact, ...]
    options: dict[str, str]

    @property
    def names(self) -> list[str]:
        """The columns of the table itself."""
        return [name for name in self.frame.columns if name not in INTERNAL]


def read_source(
    spark: SparkSession,
    config: IngestConfig,
    table: str,
    version: SourceVersion | None = None,
    rows: DataFrame | None = None,
) -> Source:
    """Open the raw log or catalogue and find its columns; of rows, no more is read than it takes to
    tell the form.

    Args:
        spark: the session.
        config: names the path or table, the format and the mapping of columns.
        table: `interactions` or `items`.
        version: the state of it that is read; None for the present one.
        rows: those of a view, where they are at hand; None to read it.

    Raises:
        ConfigError: no path is given, or the format cannot be told.
        InputDataError: nothing is there, or a column is missing.
    """
    return as_source(read_raw(spark, config, table, version, rows), config, table)


def as_source(raw: RawTable, config: IngestConfig, table: str) -> Source:
    """A raw table with its columns found.

    Raises:
        UserError: a column is missing, or a mapping names none.
    """
    try:
        columns = find_columns(table, raw.names, config.columns, raw.known, raw.path)
    except InputDataError as error:
        if all(_A_NAME.fullmatch(name) for name in raw.names):
            raise
        raise InputDataError(
            f"{str(error).rstrip('.')}; if these are no names but data, say the names in order:"
            f" --set ingest.header.{table}=NAME,NAME,..."
        ) from None
    return Source(raw.path, raw.frame, columns, raw.facts)


def read_raw(
    spark: SparkSession,
    config: IngestConfig,
    table: str,
    version: SourceVersion | None = None,
    rows: DataFrame | None = None,
    limit: int | None = None,
) -> RawTable:
    """Open the raw log or catalogue, without asking for any column.

    Args:
        spark: the session.
        config: names the path or table and the format.
        table: `interactions` or `items`.
        version: the state of it that is read; None for the present one.
        rows: those of a view, where they are at hand; None to read it.
        limit: read only about so many rows of the files; None for all.

    Raises:
        ConfigError: no path is given, or the format cannot be told.
        InputDataError: nothing is there, or it cannot be read.
    """
    path = config.interactions if table == "interactions" else config.items
    if not path:
        raise ConfigError(
            f"Say where the raw {table} are: --set ingest.{table}=PATH (a file, a folder, a pattern"
            " such as days/*.csv, or a table name)."
        )
    stated: str = getattr(config.format, table)
    public = public_name(stated)
    with explained(path, f"ingest.{table}"), partitions_as_text(spark):
        version = version or find_source(path, table, lambda: spark, public)
        files, form, layout, public = _find(spark, config, version, table)
        frame = form.read(spark, files, limit) if rows is None else without_faults(rows)
        facts = form.facts
        names = set(frame.columns)
        if stated == "auto" and public is None:
            public = public_by_columns(table, names)
            layout = layout_of(public, table, files.name) if public else None
        if public:
            why = "as ingest.format says" if stated == public else "by its name or its columns"
            facts = (Fact("data set", public, why), *facts)
        explode = getattr(config.explode, table) or (layout.explode if layout else None)
        if explode:
            frame = explode_rows(frame, explode, path=path, table=table)
            facts += (Fact("explode", explode, "a row for each element of the list"),)
        frame = flatten_objects(finished(frame, layout) if layout else frame)
    options = {"format": public} if public else form.options
    if explode and not (layout and layout.explode == explode):
        options["explode"] = explode
    known = dict(layout.columns) if layout else {}
    return RawTable(version.path, frame, public, known, facts, options)


def _find(
    spark: SparkSession, config: IngestConfig, version: SourceVersion, table: str
) -> tuple[RawFiles, Form, Layout | None, str | None]:
    """The files, their form, and the public data set that they are known by."""
    stated: str = getattr(config.format, table)
    public = public_name(stated)
    files = raw_files(version, _published_names(table))
    columnar = _columnar(version)
    if columnar is not None:
        layout = layout_of(public, table, version.path) if public else None
        return files, columnar, layout, public
    given = _given(config, table)
    if public:
        layout = layout_of(public, table, files.name)
        if layout is None:
            raise ConfigError(f"{public} is a log alone; set ingest.format.{table} to another.")
        return files, find_form(spark, files, _of_layout(given, layout)), layout, public
    by_name = public_by_file(table, files.name) if stated == "auto" else None
    layout = layout_of(by_name, table, files.name) if by_name else None
    if layout and not given.header:
        try:
            return files, find_form(spark, files, _of_layout(given, layout)), layout, by_name
        except WrongHeaderError:
            pass  # a file of the same name, and another form
    try:
        form = find_form(spark, files, given)
    except NoHeaderError as error:
        raise error.with_formats(public_by_width(table, len(error.header))) from None
    if isinstance(form, JsonText) and stated == "auto":
        named = public_by_columns(table, form.names)
        layout = layout_of(named, table, files.name) if named else None
        if layout:
            return files, replace(form, fields=layout.fields), layout, named
    return files, form, None, None


def _published_names(table: str) -> tuple[str, ...]:
    """Names of the files that public data sets have for a table."""
    layouts = (one for tables in PUBLIC.values() for one in tables.get(table, ()))
    return tuple(file for one in layouts for file in one.files if "*" not in file)


def _columnar(version: SourceVersion) -> Columnar | None:
    """A table of the catalog, or of Delta; None for files."""
    if version.kind in ("delta", "delta_table"):
        facts = (Fact("format", "delta", version.description),)
        return Columnar("delta", facts, version.version, version.kind == "delta_table")
    if version.kind in ("table", "rows"):
        return Columnar(TABLE, (Fact("format", TABLE, "of the catalog"),), in_catalog=True)
    return None


def _given(config: IngestConfig, table: str) -> Given:
    stated: str = getattr(config.format, table)
    mapped = {name.lower() for name in config.columns.values()}
    return Given(
        table=table,
        format="auto" if stated in PUBLIC else stated,
        separator=getattr(config.separator, table),
        encoding=getattr(config.encoding, table),
        header=getattr(config.header, table),
        known_names=known_names() | _usual_names(table) | mapped,
    )


def _usual_names(table: str) -> frozenset[str]:
    """Names, in small letters, that the columns of many logs and catalogues have."""
    names = {*COLUMNS[table], *chain(*(USUAL_NAMES[one].split(", ") for one in COLUMNS[table]))}
    return frozenset(chain(names, (name.replace(" ", "_") for name in names)))


def _of_layout(given: Given, layout: Layout) -> Given:
    return replace(
        given,
        format=given.format if given.format != "auto" else layout.format,
        separator=given.separator or layout.separator,
        fallback_encoding=layout.encoding,
        usual_header=layout.header,
        quoted=layout.quoted,
        fields=layout.fields,
    )


def nanosecond_times(spark: SparkSession) -> AbstractContextManager[None]:
    """Let Spark read Parquet times in nanoseconds, as pandas writes them, as integers."""
    return session_options(spark, {"spark.sql.legacy.parquet.nanosAsLong": "true"})


def partitions_as_text(spark: SparkSession) -> AbstractContextManager[None]:
    """Let Spark read the value of a folder `item_id=007` as the text that it is."""
    key = "spark.sql.sources.partitionColumnTypeInference.enabled"
    return session_options(spark, {key: "false"})
