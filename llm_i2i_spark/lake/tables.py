"""The lake: every read and write of a Delta table with Spark, by contract, name, version and scope.

Nothing else touches storage, but for `lake.delta_rs`, which is the same lake without a JVM.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructType

from llm_i2i_spark.base.contract import Scope, Table, scope_condition
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import ConfigError, StageError, TableNotFoundError
from llm_i2i_spark.base.phases import reached
from llm_i2i_spark.base.run_record import Commit, LostFile, RunRecord
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.base.variants import BASE_BRANCH
from llm_i2i_spark.lake import delta_rs
from llm_i2i_spark.lake.capabilities import SPARK_ERRORS
from llm_i2i_spark.lake.commits import read_commits
from llm_i2i_spark.lake.delta_sql import (
    create_table,
    is_delta_table,
    quoted_name,
    quoted_path,
    register_table,
    require_schema,
)
from llm_i2i_spark.lake.location import (
    lake_root,
    local_root,
    missing_table,
    require_location,
    retention_properties,
)
from llm_i2i_spark.lake.lost_files import remove_failed_creation, with_losses
from llm_i2i_spark.lake.own_commits import RECENT, version_of
from llm_i2i_spark.lake.spark_errors import spark_reason
from llm_i2i_spark.lake.spark_progress import show_task_progress
from llm_i2i_spark.lake.surviving_rows import surviving_rows
from llm_i2i_spark.lake.upgrade import upgrade_table
from llm_i2i_spark.lake.write_errors import explained_write


class Lake:
    """The tables of one project, as folders under a root, as tables of a catalog schema, or both.

    Args:
        spark: the session to read and write with.
        config: `lake.root` and/or `lake.schema`.

    Raises:
        ConfigError: neither is set, or there is no such schema.
    """

    def __init__(self, spark: SparkSession, config: LakeConfig) -> None:
        require_location(config)
        if config.schema_name:
            require_schema(spark, config.schema_name)
        self.spark = spark
        self.root = lake_root(config)
        self._is_local = local_root(config) is not None
        self._schema = config.schema_name
        self._properties = retention_properties(config)

    def path(self, table: str) -> str:
        """The folder or URI of a table.

        Raises:
            ConfigError: the lake is a catalog schema without a root.
        """
        if self.root is None:
            raise ConfigError(
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
        if self._is_local:
            return delta_rs.table_history(self.path(table), limit)
        return read_commits(self.spark, self.sql_name(table), limit) if self.exists(table) else []

    def lost_files(self, table: str, version: int | None = None) -> list[LostFile]:
        """The data files of a version that are not as the log says, where the lake is local; on an
        object store only reading would tell, and the list is empty.
        """
        return delta_rs.table_losses(self.path(table), version) if self._is_local else []

    def read(self, table: str, version: int | None = None, scope: Scope | None = None) -> DataFrame:
        """A table at a version (the latest without one), all rows or those of one scope.

        Raises:
            TableNotFoundError: the table does not exist, or the version is no longer readable.
        """
        if not self.exists(table):
            raise missing_table(table, self.root or self._schema)
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        try:
            frame = reader.load(self.path(table)) if self.root else reader.table(self._name(table))
        except SPARK_ERRORS as error:
            raise TableNotFoundError(
                f"Version {version} of {table} cannot be read ({spark_reason(error)})."
            ) from error
        frame = _with_scope_columns(frame, TABLES[table])
        return frame.where(scope_condition((scope,))) if scope else frame

    def changes(self, table: str, after: int, until: int) -> DataFrame | None:
        """What commits did to the rows of a table with a change feed: its columns and `change`, 1
        for an added row, -1 for a removed one.

        A row that is removed and added again stands in it twice.

        Args:
            table: which.
            after: version before the first change.
            until: version after the last one.

        Returns:
            None where the feed does not reach back that far.
        """
        options = {"startingVersion": after + 1, "endingVersion": until}
        feed = self.spark.read.format("delta").options(readChangeFeed="true", **options)
        added = F.when(F.col("_change_type").isin("insert", "update_postimage"), 1).otherwise(-1)
        try:
            rows = feed.load(self.path(table)) if self.root else feed.table(self._name(table))
            return rows.select(*TABLES[table].names, added.alias("change"))
        except SPARK_ERRORS:
            return None

    def write(
        self,
        frame: DataFrame,
        record: RunRecord,
        scopes: Sequence[Scope] = (),
        title: str | None = None,
    ) -> int:
        """Replace the rows of some scopes (or extend an append table) in one atomic commit that
        carries the run record; the rows of other scopes stay.

        A retry of the same run adds nothing: the commit's transaction version is the table version
        that it is meant to create. Files of the table that are lost leave its log with the same
        commit, and the record then names the results that had rows in them.

        Args:
            frame: rows with the contract's columns and types; other columns are an error, never
                dropped in silence.
            record: who writes, from what.
            scopes: whose rows these are; without any the whole table is replaced.
            title: words for the progress bar.

        Returns:
            The version that holds the rows.

        Raises:
            StageError: the columns do not fit the contract, a constraint does not hold, or a row is
                of none of the scopes.
        """
        table, rows = TABLES[record.table], _fit(frame, TABLES[record.table])
        with explained_write(record):
            before = self._prepare(table)
        lost = self.lost_files(table.name)
        if lost:
            record = with_losses(record, self.history(table.name), lost)
            rows = self._surviving(table, scopes, lost).union(rows)
        if table.cluster_by:
            # A file then has statistics of each of its pages that rule nearly all of them out where
            # rows of one user or item are read. Delta's clustering does that in OPTIMIZE alone.
            rows = rows.sortWithinPartitions(*table.cluster_by)
        writer = (
            rows.write.format("delta")
            .mode("append" if table.append and not lost else "overwrite")
            .option("userMetadata", record.to_json())
            .option("txnAppId", f"llm_i2i.{record.run_id}.{table.name}")
            .option("txnVersion", before + 1)
        )
        if table.scope and scopes and not lost:
            writer = writer.option("replaceWhere", _replaced(table, scopes))
        with (
            explained_write(record),
            show_task_progress(self.spark, title or f"{record.stage}: {table.name}"),
        ):
            reached("table write begins")
            if self.root:
                writer.save(self.path(table.name))
            else:
                writer.saveAsTable(self._name(table.name))
            reached("table written")
        return version_of(self.history(table.name, RECENT), record)

    def _surviving(
        self, table: Table, scopes: Sequence[Scope], lost: Sequence[LostFile]
    ) -> DataFrame:
        """The rows that a write leaves as they are, from the files that are not lost."""
        rows = surviving_rows(self.spark, self.path(table.name), contract_schema(table), lost)
        if table.append:
            return rows
        return rows.where(f"NOT coalesce({_replaced(table, scopes)}, false)")

    def _prepare(self, table: Table) -> int:
        """Make the table where it is missing, constraints included, and bring one of an earlier
        version up to the contract; its latest version.
        """
        if not self.exists(table.name):
            self._create(table)
        else:
            present = self._latest(table.name).columns
            upgrade_table(self.spark, self.sql_name(table.name), present, table)
        return self.history(table.name, limit=1)[0].version

    def _create(self, table: Table) -> None:
        if self._is_local:
            remove_failed_creation(self.path(table.name))
        name = self._name(table.name) if self._schema else self.sql_name(table.name)
        location = self.path(table.name) if self._schema and self.root else None
        create_table(self.spark, name, table, location, self._properties)
        if not self.history(table.name, limit=1):
            raise ConfigError(
                f"{name} is a table already, in another folder than {location}: name the folder"
                " of that lake in lake.root, or another schema in lake.schema."
            )

    def register(self, table: str) -> None:
        """Let the schema, where there is one, know a table that a training job has made."""
        if self._schema and self.root and self.exists(table):
            register_table(self.spark, self._name(table), self.path(table))

    def exists(self, table: str) -> bool:
        """Whether there is such a table."""
        if self.root is None:
            return self.spark.catalog.tableExists(self._name(table))
        if self._is_local:
            return delta_rs.table_exists(self.path(table))
        return is_delta_table(self.spark, self.path(table))

    def _latest(self, table: str) -> DataFrame:
        reader = self.spark.read.format("delta")
        return reader.load(self.path(table)) if self.root else reader.table(self._name(table))

    def sql_name(self, table: str) -> str:
        """A table as SQL statements name it."""
        return quoted_path(self.path(table)) if self.root else self._name(table)

    def _name(self, table: str) -> str:
        return quoted_name(self._schema or "", table)


def contract_schema(table: Table) -> StructType:
    """The Spark schema of a contract."""
    schema = StructType.fromDDL(table.ddl)
    assert isinstance(schema, StructType)
    return schema


def result_schema(table: Table) -> StructType:
    """The Spark schema of one result of a table: the contract without the columns of the scope."""
    return StructType([one for one in contract_schema(table) if one.name not in table.scope])


def _missing_scope(frame: DataFrame, table: Table) -> list[str]:
    return [name for name in table.scope if name not in frame.columns]


def _with_scope_columns(frame: DataFrame, table: Table) -> DataFrame:
    """The frame with all columns of its scope; rows of version 0.1 are of the base branch."""
    for name in _missing_scope(frame, table):
        frame = frame.withColumn(name, F.lit(None).cast(StringType()))
    if "branch" in table.scope:
        frame = frame.withColumn("branch", F.coalesce("branch", F.lit(BASE_BRANCH)))
    return frame.select(*(name for name in table.names if name in frame.columns))


def _replaced(table: Table, scopes: Sequence[Scope]) -> str:
    """The condition for the rows that a write replaces."""
    condition = scope_condition(tuple(scopes)) if table.scope and scopes else "true"
    if any(scope.get("branch") == BASE_BRANCH for scope in scopes):
        condition = f"branch IS NULL OR {condition}"  # rows that version 0.1 wrote
    return condition


def _fit(frame: DataFrame, table: Table) -> DataFrame:
    """The frame with the contract's columns in order, its names and types checked."""
    wanted = {field.name: field.dataType.simpleString() for field in contract_schema(table)}
    found = {field.name: field.dataType.simpleString() for field in frame.schema}
    if wanted != found:
        wrong = sorted(set(wanted.items()) ^ set(found.items()))
        raise StageError(f"Rows for {table.name} do not fit its contract at {wrong}.")
    return frame.select(*table.names)
