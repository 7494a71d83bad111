"""Rows of a contract as Arrow, for commits without Spark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import pyarrow as pa

from llm_i2i_spark.base.contract import Table

ARROW_TYPES = {
    "string": pa.string(),
    "bigint": pa.int64(),
    "int": pa.int32(),
    "array<float>": pa.list_(pa.float32()),
}
"""By the types of the contracts whose tables are written without Spark."""

Rows: TypeAlias = "Sequence[dict[str, Any]] | pa.Table"
"""Rows of a table: dictionaries, or columns of Arrow where they are many."""


def arrow_rows(rows: Rows, contract: Table) -> pa.Table:
    """The rows with the columns of a contract, in its order.

    Args:
        rows: with all of its columns.
        contract: of the table.
    """
    fields = [
        pa.field(column.name, ARROW_TYPES[column.type], nullable=column.nullable)
        for column in contract.columns
    ]
    schema = pa.schema(fields)
    if isinstance(rows, pa.Table):
        return rows.select(schema.names).cast(schema)
    return pa.Table.from_pylist(list(rows), schema=schema)
