"""Files of rows that another program made: Parquet, CSV, JSON lines or a Delta folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.base.files import is_uri, require_readable_name
from llm_i2i_spark.lake.capabilities import SPARK_ERRORS
from llm_i2i_spark.lake.spark_errors import spark_reason

_COMPRESSED = (".gz", ".bz2", ".zst", ".deflate", ".snappy", ".lz4")
_TEXT = {".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json"}


def require_row_file(path: str, if_missing: str, if_empty: str) -> None:
    """Make sure, before Spark starts, that there is a file of rows that it can read.

    Args:
        path: a local path; of a URI nothing is looked at.
        if_missing: ends the sentence that there is no such file.
        if_empty: ends the sentence that it is empty.

    Raises:
        InputDataError: nothing is there, it is empty, or Spark cannot read files of its name.
    """
    if is_uri(path):
        return
    local = Path(path).expanduser()
    if not local.exists():
        raise InputDataError(f"There is no file {path}; {if_missing}.")
    if local.is_file() and local.stat().st_size == 0:
        raise InputDataError(f"The file {path} is empty; {if_empty}.")
    require_readable_name(local.resolve())


def read_row_file(spark: SparkSession, path: str) -> DataFrame:
    """The columns of a file as they are; all of CSV and the simple values of JSON as text.

    Args:
        spark: the session.
        path: a file, a folder of files or a Delta folder, or its URI. The ending says what it is
            (of a folder, that of its first file); without a known one it is Parquet.
    """
    ending = _ending(path)
    if not is_uri(path):
        path = str(Path(path).expanduser().resolve())
    if (Path(path) / "_delta_log").is_dir():
        return spark.read.format("delta").load(path)
    if _TEXT.get(ending) == "json":
        return spark.read.json(path, primitivesAsString=True)
    if _TEXT.get(ending) == "csv":
        separator = "\t" if ending == ".tsv" else ","
        return spark.read.csv(path, header=True, sep=separator, quote='"', escape='"')
    return spark.read.parquet(path)


@contextmanager
def explained_rows(what: str, name: str) -> Iterator[None]:
    """Turn an error of Spark about an unreadable file of rows into one sentence.

    Args:
        what: the file is, such as `index`.
        name: of the file.

    Raises:
        InputDataError: something inside the block failed in Spark.
    """
    try:
        yield
    except SPARK_ERRORS as error:
        raise InputDataError(
            f"Spark cannot read the {what} {name} ({spark_reason(error)}); it must be Parquet, CSV"
            " with a header, JSON lines or a Delta folder."
        ) from error


def _ending(path: str) -> str:
    """The ending of a file, or of the first data file of a folder, without that of compression."""
    local = Path(path).expanduser()
    if not is_uri(path) and local.is_dir():
        local = min(local.rglob("[!._]*.*"), default=local)
    endings = [ending.lower() for ending in local.suffixes if ending.lower() not in _COMPRESSED]
    return endings[-1] if endings else ""
