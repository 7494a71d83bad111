"""One call of a Python function for each value of an integer column, with all of its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

BatchFunction = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


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
        return frame.repartitionById(values, column).mapInArrow(function, schema)
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
