"""What goes wrong at a commit with Spark, as one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.base.run_record import RunRecord
from llm_i2i_spark.lake.capabilities import SPARK_ERRORS
from llm_i2i_spark.lake.spark_errors import spark_reason
from llm_i2i_spark.lake.storage_errors import storage_error
from llm_i2i_spark.lake.worker_errors import worker_error


@contextmanager
def explained_write(record: RunRecord) -> Iterator[None]:
    """Turn an error of Spark at a commit into one sentence.

    Raises:
        LlmI2iError: something inside the block failed in Spark.
    """
    try:
        yield
    except SPARK_ERRORS as error:
        known = worker_error(error) or storage_error(error)
        raise known or StageError(
            f"Stage {record.stage} could not write {record.table} ({spark_reason(error)})."
        ) from error
