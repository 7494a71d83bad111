"""A DataFrame given as a source becomes a table of the lake, so that it has a version."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from llm_i2i_spark.lake.delta_sql import is_delta_table, quoted_path, table_history
from llm_i2i_spark.lake.spark_progress import show_task_progress

if TYPE_CHECKING:
    import pandas as pd

FOLDER = "_sources"
RECENT_COMMITS = 100


def as_spark(spark: SparkSession, frame: DataFrame | pd.DataFrame) -> DataFrame:
    """The frame as a Spark DataFrame; columns of a pandas one keep their names, its index goes."""
    if isinstance(frame, DataFrame):
        return frame
    return spark.createDataFrame(frame.rename(columns=str))


def save_source(spark: SparkSession, root: str, name: str, frame: DataFrame | pd.DataFrame) -> str:
    """Write a frame as the table `_sources/<name>`, unless the very same rows are there already.

    Args:
        spark: the session.
        root: of the lake.
        name: `interactions` or `items`.
        frame: any columns; a row is a row of the raw table.

    Returns:
        The path of the table and the version that holds the rows: `PATH@vN`.
    """
    path = f"{root}/{FOLDER}/{name}"
    rows = as_spark(spark, frame)
    digest = rows_digest(rows)
    if not is_delta_table(spark, path) or _commits(spark, path, 1)[0][1] != digest:
        writer = rows.write.format("delta").mode("overwrite").option("overwriteSchema", "true")
        with show_task_progress(spark, f"writing {name}"):
            writer.option("userMetadata", digest).save(path)
    # Another process may have written its own rows since.
    found = _commits(spark, path, RECENT_COMMITS)
    version = next(version for version, written in found if written == digest)
    return f"{path}@v{version}"


def _commits(spark: SparkSession, path: str, limit: int) -> list[tuple[int, str | None]]:
    """Version and digest of the latest commits of a table, latest first."""
    history = table_history(spark, quoted_path(path), limit).select("version", "userMetadata")
    return [(row["version"], row["userMetadata"]) for row in history.collect()]


def rows_digest(rows: DataFrame) -> str:
    """Of the schema and the multiset of rows: equal content, equal digest, in any order."""
    columns = F.struct(*(F.col(f"`{name}`") for name in rows.columns))
    row = F.to_json(columns, {"timeZone": "UTC"})
    hashes = [F.xxhash64(F.lit(seed), row).cast("decimal(38,0)") for seed in (1, 2)]
    sums = rows.agg(F.count("*"), *(F.sum(one) for one in hashes))
    counted = [str(value) for value in sums.collect()[0]]
    return hashlib.sha256("|".join([rows.schema.json(), *counted]).encode()).hexdigest()
