"""A DataFrame given as a source becomes a table of the lake, so that it has a version."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from llm_i2i_spark.lake.spark_progress import show_task_progress

if TYPE_CHECKING:
    import pandas as pd

FOLDER = "_sources"


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
        The path of the table.
    """
    path = f"{root}/{FOLDER}/{name}"
    rows = as_spark(spark, frame)
    digest = _digest(rows)
    if DeltaTable.isDeltaTable(spark, path):
        latest: Any = DeltaTable.forPath(spark, path).history(1).select("userMetadata").collect()
        if latest[0]["userMetadata"] == digest:
            return path
    writer = rows.write.format("delta").mode("overwrite").option("overwriteSchema", "true")
    with show_task_progress(spark, f"writing {name}"):
        writer.option("userMetadata", digest).save(path)
    return path


def _digest(rows: DataFrame) -> str:
    """Of the schema and the multiset of rows: equal content, equal digest, in any order."""
    row = F.to_json(F.struct(*(F.col(f"`{name}`") for name in rows.columns)))
    hashes = [F.xxhash64(F.lit(seed), row).cast("decimal(38,0)") for seed in (1, 2)]
    sums = rows.agg(F.count("*"), *(F.sum(one) for one in hashes))
    counted = [str(value) for value in sums.collect()[0]]
    return hashlib.sha256("|".join([rows.schema.json(), *counted]).encode()).hexdigest()
