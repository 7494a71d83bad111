"""Rows deleted from a table of the lake in one commit that carries a run record and no id."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from pyspark.sql import SparkSession
from pyspark.sql.types import StringType, StructField, StructType

from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.base.run_record import RunRecord
from llm_i2i_spark.lake.capabilities import SPARK_ERRORS
from llm_i2i_spark.lake.delta_files import row_masks
from llm_i2i_spark.lake.delta_sql import quoted_path
from llm_i2i_spark.lake.lost_files import open_table
from llm_i2i_spark.lake.own_commits import RECENT, version_of
from llm_i2i_spark.lake.session_options import session_options
from llm_i2i_spark.lake.spark_errors import spark_reason
from llm_i2i_spark.lake.spark_progress import show_task_progress
from llm_i2i_spark.lake.storage_errors import storage_error
from llm_i2i_spark.lake.tables import Lake

COMMIT_METADATA = "spark.databricks.delta.commitInfo.userMetadata"


def erase_rows(lake: Lake, values: Sequence[str], condition: str, record: RunRecord) -> int:
    """Delete the rows for which a condition holds with one of some texts.

    A MERGE: the log of a Delta table keeps the condition of every DELETE with its literals, here
    the very ids that are to be gone.

    Args:
        lake: the tables.
        values: texts; the condition says `wanted.value` for each.
        condition: SQL, with the table's columns as `row.NAME`.
        record: of the commit.

    Returns:
        The version without the rows.

    Raises:
        StageError: the table cannot be written.
    """
    schema = StructType([StructField("value", StringType(), False)])
    wanted = lake.spark.createDataFrame([(value,) for value in values], schema)
    view = f"wanted_{uuid4().hex}"
    try:
        with (
            session_options(lake.spark, {COMMIT_METADATA: record.to_json()}),
            show_task_progress(lake.spark, f"{record.stage}: {record.table}"),
        ):
            wanted.createTempView(view)
            lake.spark.sql(
                f"MERGE INTO {quoted_path(lake.path(record.table))} AS row USING {view} AS wanted"
                f" ON {condition} WHEN MATCHED THEN DELETE"
            )
    except SPARK_ERRORS as error:
        raise storage_error(error) or StageError(
            f"The rows could not be deleted from {record.table} ({spark_reason(error)}); the same"
            " command goes on once that is mended."
        ) from error
    finally:
        lake.spark.catalog.dropTempView(view)
    return version_of(lake.history(record.table, RECENT), record)


def drop_deleted_in_place(spark: SparkSession, path: str) -> None:
    """Write anew the files of a table whose rows were only marked as deleted (deletion vectors), so
    that no file of the latest version holds them.

    Args:
        spark: the session.
        path: local folder of the table.
    """
    if row_masks(open_table(path)):
        spark.sql(f"REORG TABLE {quoted_path(path)} APPLY (PURGE)")
