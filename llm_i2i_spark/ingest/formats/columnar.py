"""Columnar files and tables, which say their columns themselves: Parquet, ORC, Avro, Delta, tables
of the catalog.
"""

from __future__ import annotations

import re
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
ENDINGS = {".parquet": "parquet", ".pq": "parquet", ".orc": "orc", ".avro": "avro"}
MAGIC = ((b"PAR1", "parquet"), (b"ORC", "orc"), (b"Obj\x01", "avro"))
"""The first bytes of a file -> its format."""


@dataclass(frozen=True)
class Columnar:
    """Files or tables with typed columns."""

    name: str
    facts: tuple[Fact, ...] = ()

    @property
    def options(self) -> dict[str, str]:
        """The format; a table of the catalog needs none."""
        return {} if self.name == TABLE else {"format": self.name}

    def read(self, spark: SparkSession, files: RawFiles, limit: int | None) -> DataFrame:
        """The rows as they are stored.

        Raises:
            InputDataError: the session lacks what this format needs.
        """
        try:
            if self.name == TABLE:
                frame = spark.read.table(files.given)
            else:
                frame = reader(spark, files).format(self.name).load(list(files.paths))
        except SPARK_ERRORS as error:
            _refuse(files.given, str(error), error)
            raise
        if limit is not None:
            frame = frame.limit(limit)
        nothing = F.lit(None).cast("string")
        return frame.withColumns({MALFORMED: nothing, REASON: nothing})


def _refuse(path: str, message: str, error: Exception) -> None:
    """Turn what a session lacks into a sentence that says how to get it."""
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
