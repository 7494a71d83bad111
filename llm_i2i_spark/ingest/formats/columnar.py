"""Columnar files and tables, which say their columns themselves: Parquet, ORC, Avro, Delta, tables
of the catalog.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.ingest.formats.base import MALFORMED, REASON, Fact
from llm_i2i_spark.ingest.formats.files import RawFiles, reader
from llm_i2i_spark.lake.capabilities import SPARK_ERRORS

COLUMNAR = ("parquet", "orc", "avro", "delta")
TABLE = "table"
MAGIC = ((b"PAR1", "parquet"), (b"ORC", "orc"), (b"Obj\x01", "avro"))
"""The first bytes of a file -> its format."""


@dataclass(frozen=True)
class Columnar:
    """Files or tables with typed columns.

    Attributes:
        name: as in `ingest.format`; `table` for one of the catalog.
        facts: what was found out, and why.
        version: of a Delta table; None for the present one.
        in_catalog: whether the catalog names it.
    """

    name: str
    facts: tuple[Fact, ...] = ()
    version: int | None = None
    in_catalog: bool = False

    @property
    def options(self) -> dict[str, str]:
        """The format; a table of the catalog needs none."""
        return {} if self.in_catalog else {"format": self.name}

    def read(self, spark: SparkSession, files: RawFiles, limit: int | None) -> DataFrame:
        """The rows as they are stored.

        Raises:
            InputDataError: the session lacks what this format needs.
        """
        with support_explained(files.given):
            read = reader(spark, files)
            if self.version is not None:
                read = read.option("versionAsOf", str(self.version))
            if self.in_catalog:
                frame = read.table(files.given)
            else:
                frame = read.format(self.name).load(list(files.paths))
        return without_faults(frame if limit is None else frame.limit(limit))


def without_faults(rows: DataFrame) -> DataFrame:
    """Rows that need no parsing, as raw frames are: none of them is malformed."""
    nothing = F.lit(None).cast("string")
    return rows.withColumns({MALFORMED: nothing, REASON: nothing})


@contextmanager
def support_explained(path: str) -> Iterator[None]:
    """Turn what a session lacks for a format into a sentence that says how to get it.

    Raises:
        InputDataError: Spark has no Avro here, or Delta does not know a feature of the table.
    """
    try:
        yield
    except SPARK_ERRORS as error:
        _refuse(path, str(error), error)
        raise


def _refuse(path: str, message: str, error: Exception) -> None:
    if "data source: avro" in message:
        raise InputDataError(
            f"{path} is Avro, for which this Spark lacks its package: start the session with"
            f" --packages org.apache.spark:spark-avro_2.13:{version('pyspark')}, or save it as"
            " Parquet."
        ) from error
    features = re.search(r"unsupported by [^:]*: ([\w, -]+)", message)
    if "DELTA_UNSUPPORTED_FEATURES_FOR_READ" in message or "DELTA_INVALID_PROTOCOL" in message:
        named = f" ({features.group(1).strip()})" if features else ""
        raise InputDataError(
            f"{path} is a Delta table with features{named} that this Delta cannot read: install a"
            " newer delta-spark, or drop them with ALTER TABLE ... DROP FEATURE where it was made."
        ) from error
