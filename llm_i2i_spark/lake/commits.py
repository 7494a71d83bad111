"""The commits of a Delta table with the run records they carry, read with Spark.

Where the tables are in a local folder, `lake.delta_rs.table_history` reads the same in a thousandth
of the time.
"""

from __future__ import annotations

from pyspark.sql import SparkSession

from llm_i2i_spark.base.run_record import Commit, RunRecord
from llm_i2i_spark.lake.delta_sql import table_history


def read_commits(spark: SparkSession, name: str, limit: int | None = None) -> list[Commit]:
    """The commits of a table, latest first.

    Args:
        spark: the session.
        name: of the table, as SQL statements name it.
        limit: how many of the latest; None for all that are kept.
    """
    frame = table_history(spark, name, limit)
    columns = ("version", "timestamp", "operation", "operationMetrics", "userMetadata")
    return [
        Commit(
            version=row["version"],
            timestamp=row["timestamp"].astimezone(),
            operation=row["operation"],
            rows=_rows_written(row["operationMetrics"]),
            record=RunRecord.from_json(row["userMetadata"]),
        )
        for row in frame.select(*columns).collect()
    ]


def _rows_written(metrics: dict[str, str] | None) -> int | None:
    # Spark counts output rows; delta-rs, which fine-tuning commits with, counts added rows.
    count = (metrics or {}).get("numOutputRows") or (metrics or {}).get("num_added_rows")
    return int(count) if count is not None else None
