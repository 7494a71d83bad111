"""A table back to a former version: a new commit, which carries a run record and copies no data."""

from __future__ import annotations

from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.base.run_record import RESTORED_VERSION, RunRecord
from llm_i2i_spark.lake.capabilities import SPARK_ERRORS
from llm_i2i_spark.lake.own_commits import RECENT, version_of
from llm_i2i_spark.lake.spark_errors import spark_reason
from llm_i2i_spark.lake.spark_progress import show_task_progress
from llm_i2i_spark.lake.tables import Lake

_USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"


def restore_table(lake: Lake, record: RunRecord) -> int:
    """Bring the rows of a former version back.

    Args:
        lake: the tables.
        record: of the commit; its attribute `restored_version` says which version.

    Returns:
        The version that holds the rows now.

    Raises:
        StageError: Delta could not, for instance since files of the version are gone.
    """
    version = int(record.attributes[RESTORED_VERSION])
    conf = lake.spark.conf
    before = conf.get(_USER_METADATA, None)
    try:
        conf.set(_USER_METADATA, record.to_json())
        with show_task_progress(lake.spark, f"rollback: {record.table}"):
            lake.spark.sql(
                f"RESTORE TABLE {lake.sql_name(record.table)} TO VERSION AS OF {version}"
            )
    except SPARK_ERRORS as error:
        raise StageError(
            f"{record.table} could not be brought back to version {version}"
            f" ({spark_reason(error)})."
        ) from error
    finally:
        if before is None:
            conf.unset(_USER_METADATA)
        else:
            conf.set(_USER_METADATA, before)
    return version_of(lake.history(record.table, RECENT), record)
