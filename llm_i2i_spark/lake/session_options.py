"""Options of a Spark session for the length of a block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from pyspark.sql import SparkSession

from llm_i2i_spark.lake.capabilities import SPARK_ERRORS


@contextmanager
def session_options(spark: SparkSession, values: Mapping[str, str]) -> Iterator[None]:
    """Set options of a session, as far as the platform lets anybody set them; what its owner had
    set comes back at the end of the block.

    Args:
        spark: the session.
        values: by key.
    """
    before: dict[str, str | None] = {}
    for key, value in values.items():
        with suppress(*SPARK_ERRORS):
            found = spark.conf.get(key, None)
            spark.conf.set(key, value)
            before[key] = found
    try:
        yield
    finally:
        for key, found in before.items():
            with suppress(*SPARK_ERRORS):
                spark.conf.unset(key) if found is None else spark.conf.set(key, found)
