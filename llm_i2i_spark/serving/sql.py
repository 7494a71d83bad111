"""An index in a SQL database, written over JDBC by Spark's executors.

    {table}              view: item_id, rank, neighbor_id, score of the live generation
    {table}_live         one row: id of the live generation
    {table}_generations  generation, record as JSON; empty while it is written
    {table}_rows         generation, item_id, rank, neighbor_id, score

Readers use the view; a publish changes the one row of `{table}_live` in a transaction.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from llm_i2i_spark.base.errors import ConfigError, StageError
from llm_i2i_spark.serving.base import Exporter, Generation, Neighbor
from llm_i2i_spark.serving.jdbc import DIALECTS, Database
from llm_i2i_spark.serving.rows import as_neighbor_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

DEFAULT_TABLE = "item_index"
TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")
NEIGHBORS_AT_ONCE = 1_000_000
ROWS_DDL = "generation string, item_id string, rank int, neighbor_id string, score double"


def sql_neighbors(
    connection: Any, item_id: str, table: str = DEFAULT_TABLE, placeholder: str = "?"
) -> list[Neighbor]:
    """The live list of an item, as a server reads it.

    Args:
        connection: of a Python driver (DB-API), such as sqlite3 or psycopg.
        item_id: the item.
        table: that was published to.
        placeholder: of the driver for a parameter; psycopg has `%s`.

    Returns:
        Its neighbours, best first; empty where it has none.
    """
    cursor = connection.cursor()
    cursor.execute(_select(table, placeholder), (item_id,))
    return [
        Neighbor(item_id=item, score=score, rank=rank) for item, score, rank in cursor.fetchall()
    ]


class SqlExporter(Exporter):
    """A table of PostgreSQL or SQLite. Needs a Spark session that has the JDBC driver."""

    form = "jdbc:postgresql://host/db?user=me&table=item_index"

    def __init__(self, target: str) -> None:
        address, _, query = target.partition("?")
        options = dict(part.split("=", 1) for part in query.split("&") if "=" in part)
        self._table = options.pop("table", DEFAULT_TABLE)
        rest = "&".join(f"{name}={value}" for name, value in options.items())
        super().__init__(f"{address}?table={self._table}")
        kind = address.split(":")[1]
        if kind not in DIALECTS or not TABLE.fullmatch(self._table):
            raise ConfigError(
                f"A database target looks like {self.form} (of {', '.join(DIALECTS)}), and is"
                f" {self.shown}."
            )
        url = address + (f"?{rest}" if rest else "")
        self._database = Database(url, self.shown, DIALECTS[kind], self.form)

    @classmethod
    def accepts(cls, target: str) -> bool:
        """URLs of JDBC."""
        return target.startswith("jdbc:")

    def check(self) -> None:
        """Connect, and make the tables that are missing."""
        with self._database.transaction() as database:
            for statement in _tables(self._table, self._database.dialect.create_view):
                database.execute(statement)

    def live(self) -> Generation | None:
        """The generation that `{table}_live` names."""
        with self._database.transaction() as database:
            rows = database.query(f"SELECT generation FROM {self._table}_live")
        return self.find(rows[0][0]) if rows else None

    def find(self, generation: str) -> Generation | None:
        """The record of a generation that is complete."""
        with self._database.transaction() as database:
            rows = database.query(
                f"SELECT record FROM {self._table}_generations WHERE generation = ?", generation
            )
        return Generation.from_json(rows[0][0]) if rows and rows[0][0] else None

    def begin(self, generation: str) -> None:
        """Note an empty record."""
        with self._database.transaction() as database:
            database.execute(f"INSERT INTO {self._table}_generations VALUES (?, ?)", generation, "")

    def write(self, batches: Iterable[pa.RecordBatch], generation: str) -> int:
        """Hand the rows to Spark, a million neighbours at a time."""
        kept: list[pa.RecordBatch] = []
        for batch in map(as_neighbor_rows, batches):
            kept.append(batch)
            if sum(part.num_rows for part in kept) >= NEIGHBORS_AT_ONCE:
                self._append_batches(kept, generation)
                kept = []
        self._append_batches(kept, generation)
        return self._count(generation)

    def write_frame(self, frame: DataFrame, generation: str) -> int:
        """Each partition of the frame inserts its own rows."""
        from pyspark.sql import functions as F

        entries = frame.select("item_id", F.explode("neighbors").alias("neighbor"))
        rows = entries.select(
            F.lit(generation).alias("generation"),
            "item_id",
            F.col("neighbor.rank").alias("rank"),
            F.col("neighbor.item_id").alias("neighbor_id"),
            F.col("neighbor.score").alias("score"),
        )
        self._database.append(rows, f"{self._table}_rows")
        return self._count(generation)

    def switch(self, record: Generation) -> None:
        """Change the row of `{table}_live`, unless the generation is not announced any more."""
        with self._database.transaction() as database:
            noted = database.execute(
                f"UPDATE {self._table}_generations SET record = ? WHERE generation = ?",
                record.to_json(),
                record.generation,
            )
            if noted == 0:
                raise StageError(
                    f"Another publish to {self.shown} has taken over; its index is served, not"
                    " this one."
                )
            database.execute(
                f"INSERT INTO {self._table}_live VALUES (1, ?)"
                " ON CONFLICT (only_row) DO UPDATE SET generation = excluded.generation",
                record.generation,
            )

    def remove(self, keep: Collection[str]) -> None:
        """Delete the rows of all other generations, and their records."""
        names = sorted(keep)
        others = f" WHERE generation NOT IN ({', '.join('?' * len(names))})" if names else ""
        with self._database.transaction() as database:
            for table in ("rows", "generations"):
                database.execute(f"DELETE FROM {self._table}_{table}{others}", *names)

    def neighbors(self, item_id: str) -> list[Neighbor]:
        """The live list, from the view."""
        with self._database.transaction() as database:
            rows = database.query(_select(self._table, "?"), item_id)
        return [
            Neighbor(item_id=item, score=float(score), rank=int(rank)) for item, score, rank in rows
        ]

    def _append_batches(self, batches: list[pa.RecordBatch], generation: str) -> None:
        if batches:
            rows = pa.Table.from_batches(batches).to_pandas()
            rows.insert(0, "generation", generation)
            frame = self._database.session().createDataFrame(rows, ROWS_DDL)
            self._database.append(frame, f"{self._table}_rows")

    def _count(self, generation: str) -> int:
        with self._database.transaction() as database:
            rows = database.query(
                f"SELECT COUNT(*) FROM {self._table}_rows WHERE generation = ?", generation
            )
        return int(rows[0][0])


def _tables(table: str, create_view: str) -> tuple[str, ...]:
    """The statements that make the tables and the view where they are missing."""
    create = f"CREATE TABLE IF NOT EXISTS {table}"
    return (
        f"{create}_generations (generation TEXT PRIMARY KEY, record TEXT NOT NULL)",
        f"{create}_live"
        " (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), generation TEXT NOT NULL)",
        f"{create}_rows (generation TEXT NOT NULL, item_id TEXT NOT NULL, rank INTEGER NOT NULL,"
        " neighbor_id TEXT NOT NULL, score DOUBLE PRECISION NOT NULL,"
        " PRIMARY KEY (generation, item_id, rank))",
        f"{create_view} {table} AS SELECT item_id, rank, neighbor_id, score FROM {table}_rows"
        f" JOIN {table}_live ON {table}_rows.generation = {table}_live.generation",
    )


def _select(table: str, placeholder: str) -> str:
    return (
        f"SELECT neighbor_id, score, rank FROM {table} WHERE item_id = {placeholder} ORDER BY rank"
    )
