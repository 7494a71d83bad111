"""Which state of a raw table a run reads, where only Spark sees it: tables of the catalog, views,
and files that are not on this machine.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.ingest.formats.columnar import support_explained
from llm_i2i_spark.ingest.formats.endings import names_a_file
from llm_i2i_spark.ingest.paths import is_table_name
from llm_i2i_spark.ingest.source_versions import (
    SourceVersion,
    count_files,
    delta_source,
    in_catalog,
    split_version,
)
from llm_i2i_spark.lake.capabilities import SPARK_ERRORS
from llm_i2i_spark.lake.delta_sql import is_delta_table, quoted_name, quoted_path, table_history
from llm_i2i_spark.lake.session import session_settings
from llm_i2i_spark.lake.sources import rows_digest
from llm_i2i_spark.lake.spark_errors import explained


def source_by_spark(spark: SparkSession, path: str, table: str) -> SourceVersion:
    """The present state of a raw table that is not on this machine.

    Args:
        spark: the session.
        path: a URI, a path of the cluster's file system, or a table; `@vN` names a version.
        table: `interactions` or `items`.

    Raises:
        InputDataError: nothing is there.
    """
    name, version = split_version(path)
    with (
        session_settings(spark),
        explained(path, f"ingest.{table}"),
        support_explained(name),
    ):
        if is_table_name(name) and not names_a_file(name):
            return _in_catalog(spark, name, version, table)
        if is_delta_table(spark, name):
            return _delta(spark, name, quoted_path(name), version)
        listing = _list_files(spark, [path])
        files = tuple(sorted(listing))
        if not files:
            raise InputDataError(
                f"There are no files at {path}; ingest.{table} must name a file, a folder or a"
                " table."
            )
        found = count_files(files)
        root = re.split(r"[^/]*[*?\[{]", path)[0]
        return SourceVersion(_digest(listing), found, path, "remote_files", files, root)


def is_unchanged(spark: SparkSession, source: SourceVersion) -> bool:
    """Whether the files of a remote folder or a table have their lengths and times of then."""
    with session_settings(spark):
        try:
            if source.kind == "table":
                return _digest(_files_of_table(spark, source.path)) == source.digest
            return _digest(_list_files(spark, source.paths)) == source.digest
        except SPARK_ERRORS:
            return False


def _in_catalog(spark: SparkSession, name: str, version: int | None, table: str) -> SourceVersion:
    if not spark.catalog.tableExists(name):
        raise InputDataError(
            f"{name} is neither a file or folder here nor a table of the catalog; ingest.{table}"
            " must name one."
        )
    if spark.catalog.getTable(name).tableType not in ("VIEW", "TEMPORARY"):
        if _has_history(spark, name):
            return in_catalog(_delta(spark, name, quoted_name(name), version))
        listing = _files_of_table(spark, name)
        if listing:
            found = count_files(list(listing))
            return SourceVersion(_digest(listing), found, name, "table")
    log_message(
        f"ingest: {name} has neither a version nor files of its own, so its rows are read every"
        " time to see whether they have changed"
    )
    digest = rows_digest(spark.read.table(name))
    return SourceVersion(digest, "its rows of now", name, "rows")


def _has_history(spark: SparkSession, name: str) -> bool:
    """Whether a table of the catalog is one of Delta."""
    try:
        table_history(spark, quoted_name(name), 1).collect()
    except SPARK_ERRORS:
        return False
    return True


def _delta(spark: SparkSession, path: str, name: str, version: int | None) -> SourceVersion:
    """A version of a Delta table, the latest without one; `name` is that of SQL statements."""
    history = table_history(spark, name, None if version is not None else 1)
    if version is not None:
        history = history.where(F.col("version") == version)
    millis = F.unix_millis("timestamp").alias("millis")
    commit: Any = history.select("version", millis).first()
    if commit is None:
        raise InputDataError(f"{path} has no version {version}; name one of its history.")
    table_id: Any = spark.sql(f"DESCRIBE DETAIL {name}").select("id").collect()[0]["id"]
    return delta_source(path, path, table_id, commit["version"], commit["millis"])


def _files_of_table(spark: SparkSession, name: str) -> dict[str, tuple[int, int]]:
    spark.catalog.refreshTable(name)
    frame: DataFrame = spark.read.table(name)
    files = [unquote(file) for file in frame.inputFiles()]
    escaped = SourceVersion("", files=tuple(files)).paths
    return _list_files(spark, escaped) if files else {}


def _list_files(spark: SparkSession, paths: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Length and time of the last change of the files at some paths; no content is read."""
    listed = (
        spark.read.format("binaryFile")
        .option("recursiveFileLookup", "true")
        .load(list(paths))
        .select("path", "length", F.unix_millis("modificationTime").alias("millis"))
    )
    return {row["path"]: (row["length"], row["millis"]) for row in listed.collect()}


def _digest(listing: dict[str, tuple[int, int]]) -> str:
    lines = (f"{path} {length} {time}" for path, (length, time) in sorted(listing.items()))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
