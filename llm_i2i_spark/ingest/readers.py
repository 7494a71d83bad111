"""Raw tables as Spark frames: Parquet, CSV, JSON lines, Delta, catalog tables, and the public data
sets.

Every frame has a column `_malformed`: the line that could not be parsed, null on good rows. Frames
of JSON lines also have the line itself in `_line`, so that a quarantined row is exactly the line of
the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, DataFrameReader, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from llm_i2i_spark.base.errors import ConfigError, InputDataError
from llm_i2i_spark.base.sections.ingest import IngestConfig
from llm_i2i_spark.ingest.columns import Chosen, find_columns
from llm_i2i_spark.ingest.paths import container_of
from llm_i2i_spark.ingest.public_formats import (
    FORMATS,
    detect_public,
    line_fields,
    literals_to_json,
)
from llm_i2i_spark.ingest.source_versions import SourceVersion, find_source

MALFORMED = "_malformed"
LINE = "_line"
INTERNAL = (MALFORMED, LINE)
_SNIFFED_LINES = 20
_NANOS = "spark.sql.legacy.parquet.nanosAsLong"


@dataclass(frozen=True)
class Source:
    """A raw table.

    Attributes:
        path: as configured, for messages.
        frame: its rows, read when an action needs them.
        columns: column that ingest reads -> the raw columns behind it.
    """

    path: str
    frame: DataFrame
    columns: dict[str, Chosen]


def read_source(
    spark: SparkSession, config: IngestConfig, table: str, version: SourceVersion | None = None
) -> Source:
    """Open the raw log or catalogue; no row is read yet.

    Args:
        spark: the session.
        config: names the path or table, the format and the mapping of columns.
        table: `interactions` or `items`.
        version: the state of it that is read; None for the present one.

    Raises:
        ConfigError: no path is given, or the format cannot be told.
        InputDataError: nothing is there, or a column is missing.
    """
    path = config.interactions if table == "interactions" else config.items
    if not path:
        raise ConfigError(
            f"Say where the raw {table} are: --set ingest.{table}=PATH (Parquet, CSV, JSON lines,"
            " Delta or a table name)."
        )
    stated: str = getattr(config.format, table)
    public: str | None = stated if stated in FORMATS else None
    with explained(path, f"ingest.{table}"):
        version = version or find_source(path, table, lambda: spark)
        container = _container(version, stated)
        frame = (
            _read_json_lines(spark, version, stated, table)
            if container == "json"
            else _read(spark, version, container, public, table)
        )
        names = [name for name in frame.columns if name not in INTERNAL]
        public = public or detect_public(table, names)
        if public == "movielens" and "genres" in names:
            frame = frame.withColumn("genres", F.replace("genres", F.lit("|"), F.lit(", ")))
    known = FORMATS[public][table].columns if public else {}
    return Source(path, frame, find_columns(table, names, config.columns, known, path))


@contextmanager
def explained(path: str, key: str) -> Iterator[None]:
    """Turn an error of Spark about an unreadable source into one sentence.

    Raises:
        InputDataError: something inside the block failed in Spark.
    """
    try:
        yield
    except (PySparkException, Py4JError) as error:
        # Failed tasks arrive as plain Java errors, whose first line only names the call.
        lines = [
            line.strip(": ")
            for line in str(error).splitlines()
            if line.strip() and "error occurred while calling" not in line
        ]
        reason = lines[0] if lines else type(error).__name__
        missing = "PATH_NOT_FOUND" in reason or "TABLE_OR_VIEW_NOT_FOUND" in reason
        what = "There is nothing at" if missing else f"Spark cannot read ({reason[:200]})"
        raise InputDataError(
            f"{what} {path}; {key} must name a file, a folder or a table, and ingest.format its"
            " format."
        ) from error


@contextmanager
def nanosecond_times(spark: SparkSession) -> Iterator[None]:
    """Let Spark read Parquet times in nanoseconds, as pandas writes them, as integers, where the
    platform allows to set this.
    """
    try:
        before = spark.conf.get(_NANOS, "false")
        spark.conf.set(_NANOS, "true")
    except PySparkException:
        yield
        return
    try:
        yield
    finally:
        spark.conf.set(_NANOS, before or "false")


def _container(version: SourceVersion, file_format: str) -> str:
    """How the rows are stored: parquet, csv, json, delta, table, or double_colon (`::` between
    fields).
    """
    if version.kind in ("delta", "delta_table"):
        return "delta"
    if version.kind in ("table", "rows"):
        return "table"
    if file_format in ("parquet", "csv", "json"):
        return file_format
    found = container_of(version.files[0])
    if found is not None:
        return found
    if file_format in FORMATS:
        return "csv" if file_format == "movielens" else "json"
    raise ConfigError(
        f"The format of {version.path} cannot be told from its name; set ingest.format (parquet,"
        " csv, json, delta, amazon2014, ...)."
    )


def _read(
    spark: SparkSession, version: SourceVersion, container: str, public: str | None, table: str
) -> DataFrame:
    if container == "csv":
        return _read_csv(spark, version, public, table)
    if container == "double_colon":
        names = FORMATS["movielens"][table].headerless
        return _csv(spark, version, _strings(names), sep="::", quote="", encoding="ISO-8859-1")
    if container == "table":
        frame = spark.read.table(version.path)
    elif container == "delta":
        reader = spark.read.format("delta").option("versionAsOf", str(version.version))
        is_named = version.kind == "delta_table"
        frame = reader.table(version.path) if is_named else reader.load(version.root)
    else:
        frame = _reader(spark, version).format(container).load(version.paths)
    return frame.withColumn(MALFORMED, F.lit(None).cast("string"))


def _reader(spark: SparkSession, version: SourceVersion) -> DataFrameReader:
    """A reader of the files of a source, which finds the columns that are in folder names."""
    root = version.partition_root
    return spark.read.option("basePath", root) if root else spark.read


def _read_csv(
    spark: SparkSession, version: SourceVersion, public: str | None, table: str
) -> DataFrame:
    """CSV with a row a line, quotes doubled inside quotes, and the separator that is most frequent
    in the first line. All columns are text.
    """
    first = _first_lines(spark, version, 1)
    separator = max(",\t;|", key=lambda mark: first[0].count(mark)) if first else ","
    headerless = FORMATS[public][table].headerless if public in ("amazon2014", "amazon2018") else ()
    if headerless and first and "asin" not in first[0]:
        names = _strings(headerless)
        return _csv(spark, version, names, sep=separator, quote='"', encoding="UTF-8")
    reader = _reader(spark, version)
    named = reader.csv(version.paths, header=True, sep=separator, quote='"', escape='"').schema
    return _csv(spark, version, named, sep=separator, quote='"', encoding="UTF-8", header=True)


def _csv(
    spark: SparkSession,
    version: SourceVersion,
    schema: StructType,
    *,
    sep: str,
    quote: str,
    encoding: str,
    header: bool = False,
) -> DataFrame:
    schema = StructType(list(schema.fields)).add(MALFORMED, StringType())
    return _reader(spark, version).csv(
        version.paths,
        schema,
        sep=sep,
        quote=quote,
        escape=quote,
        encoding=encoding,
        header=header,
        # A file of the folder whose header has other columns is an error, not shifted values.
        enforceSchema=not header,
        mode="PERMISSIVE",
        columnNameOfCorruptRecord=MALFORMED,
    )


def _strings(names: tuple[str, ...]) -> StructType:
    return StructType([StructField(name, StringType()) for name in names])


def _read_json_lines(
    spark: SparkSession, version: SourceVersion, file_format: str, table: str
) -> DataFrame:
    """A JSON object a line, all simple values as text. Fields of public data sets are known; those
    of others are found by one pass over the file.
    """
    lines = spark.read.text(version.paths).select("value").where(F.trim("value") != "")
    fields, literals = line_fields(_first_lines(spark, version, _SNIFFED_LINES))
    public = file_format if file_format in FORMATS else None
    if file_format == "auto":
        public = detect_public(table, fields)
    if literals:
        lines = lines.mapInArrow(literals_to_json, "value string")
    if public is not None:
        schema: str | StructType = f"{FORMATS[public][table].fields}, {MALFORMED} string"
    else:
        inferred = spark.read.json(
            version.paths, primitivesAsString=True, columnNameOfCorruptRecord=MALFORMED
        ).schema
        schema = StructType([field for field in inferred.fields if field.name != MALFORMED]).add(
            MALFORMED, StringType()
        )
    options = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": MALFORMED}
    parsed = lines.select(
        F.col("value").alias(LINE), F.from_json("value", schema, options).alias("parsed")
    )
    return parsed.select(LINE, "parsed.*")


def _first_lines(spark: SparkSession, version: SourceVersion, count: int) -> list[str]:
    rows = spark.read.text(version.paths).select("value").where(F.trim("value") != "").take(count)
    return [row["value"] for row in rows]
