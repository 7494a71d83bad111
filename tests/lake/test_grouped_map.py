"""One call a value, whichever way Spark brings its rows together."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from llm_i2i_spark.lake.grouped_map import grouped_map, map_each, partition_each

SCHEMA = "number int, rows bigint, calls int"


def _count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """One row a call: the only number it got, and how many rows."""
    received = [batch for batch in batches if batch.num_rows]
    if not received:
        return
    numbers = pa.chunked_array([batch.column("number") for batch in received])
    (number,) = pc.unique(numbers).to_pylist()  # fails where two values came together
    columns = [
        pa.array([number], pa.int32()),
        pa.array([len(numbers)], pa.int64()),
        pa.array([1], pa.int32()),
    ]
    yield pa.RecordBatch.from_arrays(columns, names=["number", "rows", "calls"])


@pytest.mark.parametrize("apply", [map_each, grouped_map])
def test_every_value_is_one_call_with_all_of_its_rows(apply: Callable, spark: SparkSession) -> None:
    frame = spark.range(0, 1_000, 1, 5).selectExpr("int(id % 7) AS number", "id")
    found = apply(frame.where("number <> 3"), "number", 8, _count, SCHEMA).collect()
    expected = {number: len(range(number, 1_000, 7)) for number in range(7) if number != 3}
    assert {row["number"]: row["rows"] for row in found} == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize("values", [2, 32])
def test_every_value_has_a_partition_of_its_own(values: int, spark: SparkSession) -> None:
    frame = spark.range(0, 1_000, 1, 5).selectExpr(f"int(id % {values}) AS number")
    if not hasattr(frame, "repartitionById"):
        pytest.skip("Spark 4.0 has no repartitionById")
    parts = partition_each(frame, "number", values).withColumn("part", F.spark_partition_id())
    assert {(row["number"], row["part"]) for row in parts.distinct().collect()} == {
        (number, number) for number in range(values)
    }
