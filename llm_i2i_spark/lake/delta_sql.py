"""Delta tables made, named and looked at by SQL statements alone, which any session understands:
one over Spark Connect without Delta's plugin in its server, and one whose catalog has names of
three levels, which the builder of delta-spark does not read.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame, SparkSession

from llm_i2i_spark.base.contract import Table
from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.lake.capabilities import SPARK_ERRORS
from llm_i2i_spark.lake.spark_errors import spark_reason

_NO_TABLE = ("DELTA_TABLE_ONLY_OPERATION", "DELTA_MISSING_DELTA_TABLE", "DELTA_TABLE_NOT_FOUND")


def quoted_path(path: str) -> str:
    """The Delta table in a folder as SQL statements name it."""
    return f"delta.{_quoted(path)}"


def quoted_name(*parts: str) -> str:
    """A name of several levels, each given as it is or with its own below it (`catalog.schema`)."""
    return ".".join(_quoted(level) for part in parts for level in part.split("."))


def require_schema(spark: SparkSession, schema: str) -> None:
    """See that a schema is there, before anything is computed for it.

    Args:
        spark: the session.
        schema: `schema` or `catalog.schema`.

    Raises:
        ConfigError: it is not, or the session does not know its catalog.
    """
    reason = ""
    try:
        if spark.catalog.databaseExists(quoted_name(schema)):
            return
    except SPARK_ERRORS as error:
        reason = f" ({spark_reason(error)})"
    catalog = schema.partition(".")[0]
    elsewhere = (
        f", or let the session know a catalog named {catalog} (spark.sql.catalog.{catalog})"
        if "." in schema
        else ""
    )
    raise ConfigError(
        f"There is no schema {schema}{reason}; make it with CREATE SCHEMA {quoted_name(schema)},"
        f" name another one in lake.schema{elsewhere}, or leave lake.schema out."
    )


def create_table(
    spark: SparkSession,
    name: str,
    table: Table,
    location: str | None,
    properties: Mapping[str, str],
) -> None:
    """Make an empty table of a contract where it is missing, in one commit.

    Args:
        spark: the session.
        name: as SQL statements name it.
        table: its contract.
        location: its folder, where the name is one of a catalog and does not say it.
        properties: of the table, beside those that the contract asks for.
    """
    # What ALTER TABLE ADD CONSTRAINT sets; given at creation it costs no commit of its own.
    checks = {f"delta.constraints.{check}": rule for check, rule in table.checks.items()}
    feed = {"delta.enableChangeDataFeed": "true"} if table.change_feed else {}
    given = {**properties, **feed, **checks}
    statement = f"CREATE TABLE IF NOT EXISTS {name} ({table.ddl}) USING delta"
    if table.cluster_by:
        statement += f" CLUSTER BY ({', '.join(map(_quoted, table.cluster_by))})"
    if location is not None:
        statement += f" LOCATION {_literal(location)}"
    listed = ", ".join(f"{_literal(key)} = {_literal(value)}" for key, value in given.items())
    spark.sql(f"{statement} TBLPROPERTIES ({listed})")


def register_table(spark: SparkSession, name: str, location: str) -> None:
    """Give the table in a folder a name of the catalog, unless it has it."""
    if not spark.catalog.tableExists(name):
        spark.sql(f"CREATE TABLE IF NOT EXISTS {name} USING delta LOCATION {_literal(location)}")


def table_history(spark: SparkSession, name: str, limit: int | None = None) -> DataFrame:
    """The commits of a table as Delta describes them, latest first.

    Args:
        spark: the session.
        name: as SQL statements name it.
        limit: how many of the latest; None for all that are kept.
    """
    return spark.sql(f"DESCRIBE HISTORY {name}" + (f" LIMIT {limit}" if limit else ""))


def is_delta_table(spark: SparkSession, path: str) -> bool:
    """Whether a Delta table is at a path."""
    try:
        spark.sql(f"DESCRIBE DETAIL {quoted_path(path)}").collect()
    except SPARK_ERRORS as error:
        if any(word in str(error) for word in _NO_TABLE):
            return False
        raise
    return True


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
