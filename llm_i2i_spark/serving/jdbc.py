"""A SQL database through Spark's JDBC drivers: rows from executors, statements in a transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llm_i2i_spark.base.errors import MissingDependencyError, StageError, UserError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ROWS_A_STATEMENT = 10_000


@dataclass(frozen=True)
class Dialect:
    """What differs from one database to the next.

    Attributes:
        driver: class of its JDBC driver.
        package: Maven coordinate of the driver.
        writers: how many connections may write side by side; None for any number.
        create_view: the words that make a view, or leave it as it is.
    """

    driver: str
    package: str
    writers: int | None
    create_view: str


DIALECTS = {
    "postgresql": Dialect(
        "org.postgresql.Driver", "org.postgresql:postgresql:42.7.7", None, "CREATE OR REPLACE VIEW"
    ),
    "sqlite": Dialect(
        "org.sqlite.JDBC", "org.xerial:sqlite-jdbc:3.46.1.3", 1, "CREATE VIEW IF NOT EXISTS"
    ),
}


class Transaction:
    """Statements on a `java.sql.Connection`, with text parameters for their question marks."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def execute(self, statement: str, *parameters: str) -> int:
        """Run a statement; how many rows it changed."""
        prepared = self._prepare(statement, parameters)
        prepared.execute()
        return int(prepared.getUpdateCount())

    def query(self, statement: str, *parameters: str) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        result = self._prepare(statement, parameters).executeQuery()
        width = result.getMetaData().getColumnCount()
        rows = []
        while result.next():
            rows.append(tuple(result.getObject(column) for column in range(1, width + 1)))
        return rows

    def _prepare(self, statement: str, parameters: tuple[str, ...]) -> Any:
        prepared = self._connection.prepareStatement(statement)
        for position, value in enumerate(parameters, start=1):
            prepared.setString(position, value)
        return prepared


@dataclass(frozen=True)
class Database:
    """One database.

    Attributes:
        url: of JDBC, with what it takes to log in.
        shown: the same for messages, without a password.
        dialect: its kind.
        form: how such a URL looks, for messages.
    """

    url: str
    shown: str
    dialect: Dialect
    form: str

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Statements that count together, when the block ends without an error, or not at all.

        Raises:
            UserError: the database, its driver or a Spark session is not there.
            StageError: a statement failed.
        """
        from py4j.protocol import Py4JError

        connection = self._connect()
        try:
            connection.setAutoCommit(False)
            yield Transaction(connection)
            connection.commit()
        except Py4JError as error:
            raise self._failure(error) from error
        finally:
            connection.close()  # what was not committed is undone

    def append(self, rows: DataFrame, table: str) -> None:
        """Insert rows into a table, from the executors.

        Raises:
            StageError: the database refused them.
        """
        from llm_i2i_spark.lake.capabilities import SPARK_ERRORS

        limit = self.dialect.writers
        writer = rows.write.format("jdbc").options(
            url=self.url,
            driver=self.dialect.driver,
            dbtable=table,
            batchsize=ROWS_A_STATEMENT,
            **({"numPartitions": limit} if limit else {}),
        )
        try:
            writer.mode("append").save()
        except SPARK_ERRORS as error:
            raise self._failure(error) from error

    def session(self) -> SparkSession:
        """The active Spark session.

        Raises:
            MissingDependencyError: there is none.
        """
        try:
            from pyspark.sql import SparkSession
        except ImportError:
            session = None
        else:
            session = SparkSession.getActiveSession()
        if session is None:
            raise MissingDependencyError(
                "Publishing to a database goes through Spark, and no session is active: start one"
                f" with spark.jars.packages={self.dialect.package}."
            )
        return session

    def _connect(self) -> Any:
        from py4j.protocol import Py4JError

        from llm_i2i_spark.lake.capabilities import jdbc_connection

        session = self.session()
        try:
            connection = jdbc_connection(session, self.url, self.dialect.driver)
        except Py4JError as error:
            if "ClassNotFoundException" in str(error):
                raise MissingDependencyError(
                    f"Spark has no JDBC driver {self.dialect.driver}: name its jar in spark.jars,"
                    " or let the session fetch it with spark.sql('ADD JAR"
                    f" ivy://{self.dialect.package}?transitive=false')."
                ) from None
            raise UserError(
                f"No database answers at {self.shown} ({_reason(error)}); start it, or name another"
                f" one as {self.form}."
            ) from error
        if connection is None:
            raise UserError(
                "Publishing to a database needs a Spark session of this machine or cluster; over"
                " Spark Connect publish to Redis or a file."
            )
        return connection

    def _failure(self, error: Exception) -> StageError:
        return StageError(
            f"Publishing to {self.shown} failed ({_reason(error)}); what was served there before"
            " still is."
        )


def _reason(error: Exception) -> str:
    """What the database itself says, without the JVM's stack."""
    cause = getattr(error, "java_exception", None)
    text = str(cause.getMessage() if cause is not None else error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    named = [line for line in lines if "SQLException" in line or "Exception: " in line]
    return (named or lines or [type(error).__name__])[0][:300]
