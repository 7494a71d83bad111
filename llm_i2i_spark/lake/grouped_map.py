"""Rows by the values of an integer column: a partition each, or one call of a Python function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

BatchFunction = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


def partition_each(frame: DataFrame, column: str, values: int) -> DataFrame:
    """Put the rows of each value of a column in a partition of their own.

    On Spark 4.0 several values may share a partition and others be empty: by hash both 0 and 1 go
    to the first of two.

    Args:
        frame: the rows.
        column: int, from 0 to `values` - 1.
        values: how many partitions there are, one a value.
    """
    if hasattr(frame, "repartitionById"):  # since Spark 4.1
        return frame.repartitionById(values, column)
    return frame.repartition(values, column)


def map_each(
    frame: DataFrame, column: str, values: int, function: BatchFunction, schema: str
) -> DataFrame:
    """Call a function in Python workers once for each value of a column.

    Args:
        frame: the rows.
        column: int, from 0 to `values` - 1.
        values: how many tasks run, one a value.
        function: from the batches of one value to batches of the result; without any batch where no
            row has the value, or not called at all.
        schema: of the result, as DDL.
    """
    if hasattr(frame, "repartitionById"):  # since Spark 4.1
        return partition_each(frame, column, values).mapInArrow(function, schema)
    return grouped_map(frame, column, values, function, schema)


def grouped_map(
    frame: DataFrame, column: str, values: int, function: BatchFunction, schema: str
) -> DataFrame:
    """The same on Spark 4.0, where values that share a partition by hash are sorted apart."""
    fields = cast(StructType, StructType.fromDDL(schema))
    empty = to_arrow_schema(fields).empty_table()

    def call(table: pa.Table) -> pa.Table:  # Spark looks at the annotations
        found = list(function(iter(table.to_batches())))
        return pa.Table.from_batches(found) if found else empty

    return frame.repartition(values, column).groupBy(column).applyInArrow(call, schema)
