"""A file that holds an index of any program, as rows: Parquet, CSV with a header, JSON lines or a
Delta folder.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession

from llm_i2i_spark.lake.row_files import explained_rows, read_row_file, require_row_file


def require_index_file(path: str) -> None:
    """Make sure, before Spark starts, that there is an index file that it can read.

    Raises:
        InputDataError: nothing is there, it is empty, or Spark cannot read files of its name.
    """
    require_row_file(
        path,
        "`llm-i2i index-export` writes one of the form it must have",
        "write the index again",
    )


def read_index_file(spark: SparkSession, path: str) -> DataFrame:
    """The columns of an index file as they are; all of CSV and the simple values of JSON as text.

    Args:
        spark: the session.
        path: a file, a folder of files or a Delta folder, or its URI. The ending says what it is
            (of a folder, that of its first file); without a known one it is Parquet.

    Raises:
        InputDataError: Spark cannot read it.
    """
    with explained_rows("index", path):
        return read_row_file(spark, path)
