"""From a result to the rows of what it was made from, as they were then, read with Spark."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, Row

from llm_i2i_spark.audit.origins import Origin, Origins, recorded
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import TableNotFoundError
from llm_i2i_spark.lake.capabilities import SPARK_ERRORS
from llm_i2i_spark.lake.session_options import session_options
from llm_i2i_spark.lake.spark_progress import show_task_progress
from llm_i2i_spark.lake.tables import Lake

__all__ = ["Lineage", "Origin", "recorded"]

MOST_LOOKED_UP = 500
"""Ids in a condition up to which each is compared with the statistics of files and their pages."""
LOOK_UP = {"spark.sql.parquet.pushdown.inFilterThreshold": str(MOST_LOOKED_UP)}
# Of more than 10, Spark's default, the least and the greatest are: that rules nothing out.

_FILES_GONE = (
    "FAILED_READ_FILE",
    "FileNotFound",
    "FILE_NOT_EXIST",
    "PATH_NOT_FOUND",
    "does not exist",
    "missing",
)
"""Words of the errors that a removed data file brings."""


class Lineage(Origins):
    """The results of a lake with what they were made from, and their rows.

    Args:
        lake: the tables.
    """

    def __init__(self, lake: Lake) -> None:
        super().__init__(lake)
        self._lake = lake

    def frame(self, origin: Origin, table: str, where: Column | str | None = None) -> DataFrame:
        """Rows of `table` that `origin` was made from: that result, at the version of that time.

        Args:
            origin: the result in question.
            table: which of its inputs, or its own table.
            where: condition on the rows; None for all.

        Raises:
            TableNotFoundError: as `input_of`, or the version is no longer readable.
        """
        source = self.input_of(origin, table)
        rows = self._lake.read(table, source.version, source.scope)
        return rows if where is None else rows.where(where)

    def read(self, origin: Origin, table: str, where: Column | str | None = None) -> list[Row]:
        """The rows of `frame`, collected.

        Raises:
            TableNotFoundError: as `frame`, or the files of the version are no longer there.
        """
        return self.collect(self.frame(origin, table, where), origin, table)

    def collect(self, frame: DataFrame, origin: Origin, *tables: str) -> list[Row]:
        """The rows of a query over frames of `frame`, with a progress bar.

        Args:
            frame: the query.
            origin: the result in question.
            tables: those of its inputs that the query reads.

        Raises:
            TableNotFoundError: the files of a version are no longer there.
        """
        return self._collect(
            frame, {table: self.input_of(origin, table).version for table in tables}
        )

    def scopes(self, origin: Origin) -> list[dict[str, str]]:
        """Which results the version of a table holds that `origin` stands in, by its rows."""
        columns = TABLES[origin.table].scope
        frame = self._lake.read(origin.table, origin.version).select(*columns).distinct()
        rows = self._collect(frame, {origin.table: origin.version})
        return [{column: row[column] for column in columns} for row in rows]

    def _collect(self, frame: DataFrame, versions: Mapping[str, int]) -> list[Row]:
        named = ", ".join(f"{table} v{version}" for table, version in versions.items())
        try:
            with (
                session_options(self._lake.spark, LOOK_UP),
                show_task_progress(self._lake.spark, f"audit: {named}"),
            ):
                return frame.collect()
        except SPARK_ERRORS as error:
            if not any(word in str(error) for word in _FILES_GONE):
                raise
            raise TableNotFoundError(
                f"The history still names {named}, but its files are gone (VACUUM removed them), so"
                " the index is newer than what can be traced; run the stages from"
                f" {TABLES[next(iter(versions))].stage} again, and keep lake.retention_days above"
                " the audit horizon."
            ) from error
