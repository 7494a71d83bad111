"""Batches for Python: full within the block, as they were behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from llm_i2i_spark.lake.arrow_batches import FULL, full_batches

ROWS = "spark.sql.execution.arrow.maxRecordsPerBatch"
pytestmark = pytest.mark.spark


def sizes(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield pa.RecordBatch.from_pydict({"rows": pa.array([batch.num_rows])})


def test_batches_are_full_within_the_block_alone(spark):
    spark.conf.set(ROWS, "7")
    rows = spark.range(0, 70_000, 1, 1)
    with full_batches(spark):
        assert sorted(row["rows"] for row in rows.mapInArrow(sizes, "rows long").collect()) == [
            70_000 - 65_536,
            65_536,
        ]
    assert {row["rows"] for row in rows.mapInArrow(sizes, "rows long").collect()} == {7}
    spark.conf.unset(ROWS)


def test_they_come_back_after_a_failure(spark):
    before = {name: spark.conf.get(name, None) for name in FULL}
    with pytest.raises(ZeroDivisionError), full_batches(spark):
        _ = 1 / 0
    assert {name: spark.conf.get(name, None) for name in FULL} == before
