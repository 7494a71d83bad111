"""An index that any program made, as rows of the table `item_index`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import reduce

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StructType

from llm_i2i_spark.base.contracts import NEIGHBOR
from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.evaluate.evaluate_systems import Tables, evaluate_systems
from llm_i2i_spark.evaluate.evaluation import Evaluation
from llm_i2i_spark.evaluate.settings import settings_of
from llm_i2i_spark.evaluate.systems import EXTERNAL, System
from llm_i2i_spark.lake.frames import Frame, spark_frame, text_ids
from llm_i2i_spark.lake.materialize import materialized
from llm_i2i_spark.lake.tables import Lake

COLUMNS = ("item_id", "rank", "neighbor_id", "score")
"""Columns of an index with a row a neighbour."""


def evaluate_external_index(lake: Lake, config: Config, index: DataFrame, name: str) -> Evaluation:
    """Evaluate an index as stage `evaluate` does the project's own, against the latest tables of a
    lake; nothing is written.

    Args:
        index: rows as `external_lists` takes them.
        name: stands in the rows as variant and as run_id.

    Raises:
        UserError: columns are missing, a score is null or not a number, or nothing is held out.
    """
    settings = settings_of(config)
    tables = Tables(
        index=external_lists({name: index}, config.index.size),
        interactions=lake.read("interactions"),
        items=lake.read("items"),
        item_stats=lake.read("item_stats"),
    )
    with ExitStack() as stack:
        return evaluate_systems(
            tables,
            [System(name, EXTERNAL)],
            settings,
            lambda frame, title: stack.enter_context(materialized(lake, frame, title)),
            run_id=name,
        )


def external_lists(indexes: Mapping[str, Frame], size: int) -> DataFrame:
    """Indexes as one table of the contract `item_index`, with backbone `external`.

    Args:
        indexes: by name, which becomes the variant; each with a row a neighbour (item_id, rank,
            neighbor_id, score) or a row an item (item_id, neighbors as `to_index` gives them);
            ids of any type are compared as text.
        size: lists are cut at this rank, so that an index is not better for being longer.

    Raises:
        InputDataError: columns are missing, a field is null, a score is not a number, or one of
            them holds several indexes.
    """
    frames = [_one_index(name, index, size) for name, index in indexes.items()]
    return reduce(DataFrame.unionByName, frames)


def _one_index(name: str, index: Frame, size: int) -> DataFrame:
    if isinstance(index, pd.DataFrame) and "neighbors" in index.columns:
        index = _a_row_a_neighbor(index)
    frame = spark_frame(index)
    _check_one(frame)
    rows = _check_rows(frame if "neighbors" not in frame.columns else _exploded(frame))
    return _group_neighbors(rows, size).select(
        F.lit(name).alias("variant"), F.lit(EXTERNAL).alias("backbone"), "item_id", "neighbors"
    )


def _a_row_a_neighbor(index: pd.DataFrame) -> pd.DataFrame:
    """Lists of a pandas DataFrame (of rows, dictionaries or tuples as collected from Spark)."""
    rows = [
        (item, rank, neighbor["item_id"], neighbor["score"])
        for item, neighbors in zip(index["item_id"], index["neighbors"], strict=True)
        for rank, neighbor in enumerate(neighbors, start=1)
    ]
    frame: pd.DataFrame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame


def _exploded(index: DataFrame) -> DataFrame:
    kind = index.schema["neighbors"].dataType
    entry = kind.elementType if isinstance(kind, ArrayType) else None
    fields = entry.fieldNames() if isinstance(entry, StructType) else []
    if not {"item_id", "score"} <= set(fields):
        raise InputDataError(
            "Column neighbors must hold arrays of structs with item_id and score, best first, as"
            f" to_index makes them, and is {kind.simpleString()}."
        )
    known = "synthetic_share" in fields
    return index.select("item_id", F.posexplode("neighbors").alias("place", "neighbor")).select(
        "item_id",
        (F.col("place") + 1).alias("rank"),
        F.col("neighbor.item_id").alias("neighbor_id"),
        F.col("neighbor.score").alias("score"),
        *([F.col("neighbor.synthetic_share").alias("synthetic_share")] if known else []),
    )


def _group_neighbors(rows: DataFrame, size: int) -> DataFrame:
    """Rows (item_id, rank, neighbor_id, score) as lists: one row an item, neighbours by rank."""
    known = "synthetic_share" in rows.columns
    share: Column = F.col("synthetic_share") if known else F.lit(None)
    neighbor = F.struct(
        F.col("rank").cast("int").alias("rank"),
        F.col("neighbor_id").alias("item_id"),
        F.col("score").cast("double").alias("score"),
        share.cast("double").alias("synthetic_share"),
    )
    lists = (
        rows.where(F.col("rank") <= size)
        .groupBy("item_id")
        .agg(F.sort_array(F.collect_list(neighbor)).alias("rows"))
    )
    kept = F.transform(
        "rows",
        lambda row: F.struct(row["item_id"], row["score"], row["rank"], row["synthetic_share"]),
    )
    return lists.select("item_id", kept.cast(f"array<{NEIGHBOR}>").alias("neighbors"))


def _check_one(frame: DataFrame) -> None:
    keys = [name for name in ("variant", "backbone") if name in frame.columns]
    several = frame.select(*keys).distinct().limit(2).collect() if keys else []
    if len(several) > 1:
        chosen = " and ".join(f"{name} {value}" for name, value in several[0].asDict().items())
        raise InputDataError(
            f"The index holds lists of {chosen} and of others; choose one with .where(...), or give"
            " each its name in a dictionary."
        )


def _check_rows(frame: DataFrame) -> DataFrame:
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise InputDataError(
            f"The index needs the columns {', '.join(COLUMNS)} and lacks {', '.join(missing)}."
        )
    wrong = " OR ".join(f"{name} IS NULL" for name in COLUMNS) + " OR isnan(score)"
    bad = frame.where(wrong).count()
    if bad:
        raise InputDataError(
            f"{bad:,} rows of the index have an empty field or a score that is not a number;"
            " remove them first."
        )
    return text_ids(frame, ("item_id", "neighbor_id"))
