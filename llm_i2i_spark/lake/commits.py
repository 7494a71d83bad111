"""The commits of a Delta table with the run records they carry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from delta.tables import DeltaTable

from llm_i2i_spark.base.run_record import RunRecord


@dataclass(frozen=True)
class Commit:
    """One version of a table: when, what operation, how many rows it wrote, and the run record,
    where it has one.
    """

    version: int
    timestamp: datetime
    operation: str
    rows: int | None
    record: RunRecord | None


def read_commits(table: DeltaTable, limit: int | None = None) -> list[Commit]:
    """The commits of a table, latest first.

    Args:
        limit: how many of the latest; None for all that are kept.
    """
    frame = table.history(limit) if limit else table.history()
    rows = frame.select(
        "version", "timestamp", "operation", "operationMetrics", "userMetadata"
    ).collect()
    return [
        Commit(
            version=row["version"],
            timestamp=row["timestamp"],
            operation=row["operation"],
            rows=_rows_written(row["operationMetrics"]),
            record=RunRecord.from_json(row["userMetadata"]),
        )
        for row in rows
    ]


def _rows_written(metrics: dict[str, str] | None) -> int | None:
    # Spark counts output rows; delta-rs, which fine-tuning commits with, counts added rows.
    count = (metrics or {}).get("numOutputRows") or (metrics or {}).get("num_added_rows")
    return int(count) if count is not None else None
