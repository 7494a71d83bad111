"""A digest of rows that does not depend on their order, with Spark."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import MapType


@dataclass(frozen=True)
class RowDigest:
    """What some rows are.

    Attributes:
        rows: how many.
        digest: hex of the sum and the exclusive or of a 64-bit hash of each row: equal for the same
            rows in any order, and for other ones by chance of 2^-64 or less.
    """

    rows: int
    digest: str


def row_digest(frame: DataFrame) -> RowDigest:
    """The digest of all rows; computed at once.

    Args:
        frame: any columns; their names do not count, their order does.
    """
    hashes = hashed(frame)
    total = F.sum(F.col("hash").cast("decimal(38,0)")).alias("sum")
    (row,) = hashes.agg(F.count("*").alias("n"), total, F.bit_xor("hash").alias("xor")).collect()
    mixed = (int(row["sum"] or 0) % 2**64, int(row["xor"] or 0) % 2**64)
    return RowDigest(row["n"], "".join(f"{part:016x}" for part in mixed))


def hashed(frame: DataFrame) -> DataFrame:
    """A column `hash` of each row."""
    columns = [_hashable(frame, one.name, one.dataType) for one in frame.schema.fields]
    return frame.select(F.xxhash64(*columns).alias("hash"))


def _hashable(frame: DataFrame, name: str, kind: object) -> Column:
    """A column as Spark can hash it: a map as its entries in the order of their keys. What is null
    is told from what is empty, which a hash alone passes over.
    """
    column = frame[name]
    content = F.array_sort(F.map_entries(column)) if isinstance(kind, MapType) else column
    return F.struct(column.isNull(), content)
