"""The lake: every read and write of a Delta table, by contract, name and version. Nothing else
touches storage.
"""

from __future__ import annotations

import re
from pathlib import Path

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from llm_i2i_spark.base.contracts import TABLES, Table
from llm_i2i_spark.base.errors import StageError, UserError
from llm_i2i_spark.base.run_record import RunRecord
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.lake.capabilities import SPARK_ERRORS
from llm_i2i_spark.lake.commits import Commit, read_commits
from llm_i2i_spark.lake.spark_progress import show_task_progress

TABLE_NAME = re.compile(r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+){0,2}$")


class Lake:
    """The tables of one project, as folders under a root, as tables of a catalog schema, or both.

    Args:
        spark: the session to read and write with.
        config: `lake.root` and/or `lake.schema`.

    Raises:
        UserError: neither is set, or the schema is not a valid name.
    """

    def __init__(self, spark: SparkSession, config: LakeConfig) -> None:
        require_location(config)
        self.spark = spark
        self.root = lake_root(config)
        self._schema = config.schema_name
        self._retention = f"interval {config.retention_days} days"

    def path(self, table: str) -> str:
        """The folder or URI of a table.

        Raises:
            UserError: the lake is a catalog schema without a root.
        """
        if self.root is None:
            raise UserError(
                "Set lake.root beside lake.schema: fine-tuning reads Delta files by path, without a"
                " JVM."
            )
        return f"{self.root}/{TABLES[table].name}"

    def version(self, table: str) -> int | None:
        """The latest version of a table; None where it does not exist."""
        latest = self.history(table, limit=1)
        return latest[0].version if latest else None

    def history(self, table: str, limit: int | None = None) -> list[Commit]:
        """The commits of a table, latest first; empty where it does not exist."""
        return read_commits(self._handle(table), limit) if self._exists(table) else []

    def read(self, table: str, version: int | None = None) -> DataFrame:
        """A table at a version (the latest without one).

        Raises:
            UserError: the table does not exist, or the version is no longer readable.
        """
        if not self._exists(table):
            raise UserError(
                f"There is no table {table} in {self.root or self._schema}; run stage"
                f" {TABLES[table].stage} first."
            )
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        try:
            return (
                reader.load(self.path(table))
                if self.root
                else reader.table(f"{self._schema}.{table}")
            )
        except SPARK_ERRORS as error:
            raise UserError(
                f"Version {version} of {table} cannot be read ({str(error).splitlines()[0]})."
            ) from error

    def changes(self, table: str, after: int, until: int) -> DataFrame | None:
        """What commits did to the rows of a table with a change feed: its columns and `change`, 1
        for an added row, -1 for a removed one.

        A row that is removed and added again stands in it twice.

        Args:
            after: version before the first change.
            until: version after the last one.

        Returns:
            None where the feed does not reach back that far.
        """
        feed = self.spark.read.format("delta").options(
            readChangeFeed="true", startingVersion=after + 1, endingVersion=until
        )
        added = F.when(F.col("_change_type").isin("insert", "update_postimage"), 1).otherwise(-1)
        try:
            rows = (
                feed.load(self.path(table)) if self.root else feed.table(f"{self._schema}.{table}")
            )
            return rows.select(*TABLES[table].names, added.alias("change"))
        except SPARK_ERRORS:
            return None

    def write(self, frame: DataFrame, record: RunRecord, title: str | None = None) -> int:
        """Replace (or, for append tables, extend) a table in one atomic commit that carries the run
        record.

        A retry of the same run adds nothing: the commit's transaction version is the table version
        it is meant to create.

        Args:
            frame: rows with the contract's columns and types; other columns are an error, never
                dropped in silence.
            record: who writes, from what.
            title: words for the progress bar.

        Returns:
            The version that holds the rows.

        Raises:
            StageError: the columns do not fit the contract or a constraint does not hold.
        """
        table = TABLES[record.table]
        before = self._create(table)
        ready = _fit(frame, table)
        writer = (
            ready.write.format("delta")
            .mode("append" if table.append else "overwrite")
            .option("userMetadata", record.to_json())
            .option("txnAppId", f"llm_i2i.{record.stage}.{table.name}")
            .option("txnVersion", before + 1)
        )
        try:
            with show_task_progress(self.spark, title or f"{record.stage}: {table.name}"):
                (
                    writer.save(self.path(table.name))
                    if self.root
                    else writer.saveAsTable(f"{self._schema}.{table.name}")
                )
        except SPARK_ERRORS as error:
            raise StageError(
                f"Stage {record.stage} could not write {table.name}: {_reason(error)}"
            ) from error
        version = self.version(table.name)
        assert version is not None
        return version

    def _create(self, table: Table) -> int:
        """Make the table where it is missing, constraints included; its latest version."""
        version = self.version(table.name)
        if version is not None:
            return version
        builder = DeltaTable.createIfNotExists(self.spark).addColumns(contract_schema(table))
        builder = builder.location(self.path(table.name)) if self.root else builder
        builder = builder.tableName(f"{self._schema}.{table.name}") if self._schema else builder
        builder = builder.clusterBy(*table.cluster_by) if table.cluster_by else builder
        for key in ("delta.deletedFileRetentionDuration", "delta.logRetentionDuration"):
            builder = builder.property(key, self._retention)
        builder = (
            builder.property("delta.enableChangeDataFeed", "true") if table.change_feed else builder
        )
        for name, condition in table.checks.items():
            # The property that ALTER TABLE ADD CONSTRAINT sets; given at creation it costs no
            # commit of its own.
            builder = builder.property(f"delta.constraints.{name}", condition)
        builder.execute()
        created = self.version(table.name)
        assert created is not None
        return created

    def _exists(self, table: str) -> bool:
        if self.root is None:
            return self.spark.catalog.tableExists(f"{self._schema}.{table}")
        return DeltaTable.isDeltaTable(self.spark, self.path(table))

    def _handle(self, table: str) -> DeltaTable:
        if self.root is None:
            return DeltaTable.forName(self.spark, f"{self._schema}.{table}")
        return DeltaTable.forPath(self.spark, self.path(table))


def require_location(config: LakeConfig) -> None:
    """Check, before anything starts, that the configuration says where tables go.

    Raises:
        UserError: neither a root nor a schema is set, or the schema is not a valid name.
    """
    if not config.root and not config.schema_name:
        raise UserError(
            "Say where the tables go: --set lake.root=FOLDER (or lake.schema=catalog.schema on a"
            " cluster)."
        )
    if config.schema_name and not TABLE_NAME.match(config.schema_name):
        raise UserError(
            f"lake.schema must look like catalog.schema, and is {config.schema_name!r}."
        )


def lake_root(config: LakeConfig) -> str | None:
    """The root as an absolute path or URI; None where only a schema is set."""
    if not config.root:
        return None
    return (
        config.root.rstrip("/")
        if "://" in config.root
        else str(Path(config.root).expanduser().resolve())
    )


def contract_schema(table: Table) -> StructType:
    """The Spark schema of a contract."""
    schema = StructType.fromDDL(table.ddl)
    assert isinstance(schema, StructType)
    return schema


def _fit(frame: DataFrame, table: Table) -> DataFrame:
    """The frame with the contract's columns in order, after checking that names and types agree."""
    wanted = {field.name: field.dataType.simpleString() for field in contract_schema(table)}
    found = {field.name: field.dataType.simpleString() for field in frame.schema}
    if wanted != found:
        wrong = sorted(set(wanted.items()) ^ set(found.items()))
        raise StageError(f"Rows for {table.name} do not fit its contract at {wrong}.")
    return frame.select(*table.names)


def _reason(error: Exception) -> str:
    """The line of a Spark or JVM failure that tells most: a broken constraint, a worker's own
    error, else the first.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    for sign in ("CHECK constraint", "NOT NULL", "Error: ", "Exception: "):
        for line in lines:
            if sign in line:
                return line[:500]
    return lines[0][:500] if lines else type(error).__name__
