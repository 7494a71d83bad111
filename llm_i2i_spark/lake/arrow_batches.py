"""The batches in which Spark hands rows to Python."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pyspark.sql import SparkSession

from llm_i2i_spark.lake.capabilities import SPARK_ERRORS

FULL = {
    "spark.sql.execution.arrow.maxRecordsPerBatch": "65536",
    "spark.sql.execution.arrow.maxBytesPerBatch": str(2**31 - 1),
}


@contextmanager
def full_batches(spark: SparkSession) -> Iterator[None]:
    """Batches of up to 65,536 rows, however many bytes those are, for the queries planned in the
    block.

    Under any other limit of bytes Spark adds up the size of all columns again after every row,
    which takes longer than to write the row. For narrow rows only. Where the session lets nobody
    set this, batches stay as they are.
    """
    before: dict[str, str | None] = {}
    for name, value in FULL.items():
        with suppress(*SPARK_ERRORS):
            before[name] = spark.conf.get(name, None)
            spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, own in before.items():
            with suppress(*SPARK_ERRORS):
                spark.conf.unset(name) if own is None else spark.conf.set(name, own)
