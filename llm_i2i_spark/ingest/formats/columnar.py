"""Columnar files and tables, which say their columns themselves: Parquet, ORC, Avro, Delta, tables
of the catalog.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from llm_i2i_spark.ingest.formats.base import MALFORMED, REASON, Fact
from llm_i2i_spark.ingest.formats.files import RawFiles

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

    def read(self, spark: SparkSession, files: RawFiles, limit: int | None) -> DataFrame:
        """The rows as they are stored."""
        if self.name == TABLE:
            frame = spark.read.table(files.given)
        else:
            frame = spark.read.format(self.name).load(list(files.paths))
        if limit is not None:
            frame = frame.limit(limit)
        nothing = F.lit(None).cast("string")
        return frame.withColumns({MALFORMED: nothing, REASON: nothing})
