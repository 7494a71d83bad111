"""The rows of a local table whose data files are not lost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.base.run_record import LostFile
from llm_i2i_spark.lake import delta_rs


def surviving_rows(
    spark: SparkSession, path: str, schema: StructType, lost: Sequence[LostFile]
) -> DataFrame:
    """The rows in the files of a table's latest version that are as its log says.

    Args:
        spark: the session.
        path: folder of the table.
        schema: of the table.
        lost: the other files.

    Raises:
        StageError: rows were deleted in place in a file that is not lost; its plain content has
            them still.
    """
    names = delta_rs.surviving_files(path, lost)
    if names is None:
        raise StageError(
            f"Files of the table {Path(path).name} are missing, and others have deletion vectors;"
            f" move it away with `mv '{path}' '{path}.damaged'` and give the command again."
        )
    if not names:
        return spark.createDataFrame([], schema)
    return spark.read.schema(schema).parquet(*(f"{path}/{name}" for name in names))
