"""An index that any program made, as rows of the table `item_index`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import reduce

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    FractionalType,
    IntegralType,
    StringType,
    StructType,
)

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.contracts import NEIGHBOR
from llm_i2i_spark.base.errors import ConfigError, InputDataError
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.evaluate.evaluate_systems import Tables, evaluate_systems
from llm_i2i_spark.evaluate.evaluation import Evaluation
from llm_i2i_spark.evaluate.settings import settings_of
from llm_i2i_spark.evaluate.systems import EXTERNAL, System
from llm_i2i_spark.lake.frames import Frame, spark_frame
from llm_i2i_spark.lake.materialize import materialized
from llm_i2i_spark.lake.row_files import explained_rows
from llm_i2i_spark.lake.tables import Lake

COLUMNS = ("item_id", "rank", "neighbor_id", "score")
"""Columns of an index with a row a neighbour."""

LARGEST_WHOLE = 2.0**53
"""From here on not every whole number is a number with decimals of 64 bits."""


def evaluate_external_indexes(
    lake: Lake,
    config: Config,
    indexes: Mapping[str, DataFrame],
    baseline: str | None = None,
    interactions: DataFrame | None = None,
) -> Evaluation:
    """Evaluate indexes as stage `evaluate` does the project's own, against the latest tables of a
    lake; nothing is written.

    Args:
        lake: whose tables are read.
        config: of the evaluation.
        indexes: by name, which stands in the rows as variant; rows as `external_lists` takes them.
        baseline: name of the one that gains are over; the first of several without it.
        interactions: in place of the lake's, with its columns.

    Raises:
        UserError: an index is not of that form, none of its items is known, there is no such
            baseline, or nothing is held out.
    """
    settings = settings_of(config)
    names = list(indexes)
    against = choose_index_baseline(names, baseline)
    items = lake.read("items")
    lists = []
    for name, index in indexes.items():
        with explained_rows("index", name):
            lists.append(external_lists({name: index}, config.index.size, items))
    tables = Tables(
        index=reduce(DataFrame.unionByName, lists),
        interactions=lake.read("interactions") if interactions is None else interactions,
        items=items,
        item_stats=lake.read("item_stats"),
    )
    with ExitStack() as stack:
        return evaluate_systems(
            tables,
            [System(name, EXTERNAL) for name in names],
            settings,
            lambda frame, title: stack.enter_context(materialized(lake, frame, title)),
            run_id=names[0] if len(names) == 1 else EXTERNAL,
            baselines=[None if name == against else names.index(against) for name in names],
            baseline=against,
        )


def choose_index_baseline(names: Sequence[str], asked: str | None) -> str:
    """The index that gains are over: the one asked for, else the first.

    Raises:
        ConfigError: there is no index, or none of that name.
    """
    if not names:
        raise ConfigError("There is no index to evaluate: the dictionary is empty.")
    if asked is not None and asked not in names:
        raise ConfigError(
            f"The baseline {asked} is not among the indexes; choose one of {', '.join(names)}."
        )
    return asked or names[0]


def external_lists(indexes: Mapping[str, Frame], size: int, items: DataFrame) -> DataFrame:
    """Indexes as one table of the contract `item_index`, with backbone `external`.

    Args:
        indexes: by name, which becomes the variant; each with a row a neighbour (item_id, rank,
            neighbor_id, score) or a row an item (item_id, neighbors as `to_index` gives them);
            ids of any type are compared as text, whole numbers without a decimal point.
        size: lists are cut at this rank, so that an index is not better for being longer.
        items: `item_id` of everything that can be recommended.

    Raises:
        InputDataError: columns are missing, a field is null, a rank or score is not a number, none
            of the items is known, or one index holds several.
    """
    frames = [_one_index(name, index, size, items) for name, index in indexes.items()]
    return reduce(DataFrame.unionByName, frames)


def _one_index(name: str, index: Frame, size: int, items: DataFrame) -> DataFrame:
    if isinstance(index, pd.DataFrame) and "neighbors" in index.columns:
        index = _a_row_a_neighbor(index)
    frame = spark_frame(index)
    _check_one(frame)
    rows = _check_rows(frame if "neighbors" not in frame.columns else _exploded(frame))
    return _group_neighbors(_as_known(rows, items), size).select(
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
        F.col("rank"),
        F.col("neighbor_id").alias("item_id"),
        F.col("score"),
        share.try_cast("double").alias("synthetic_share"),
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
    """The rows with ids as text, ranks as whole numbers and scores as numbers."""
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise InputDataError(
            f"The index needs the columns {', '.join(COLUMNS)} and lacks {', '.join(missing)}."
        )
    rank, score = (F.col(name).try_cast("double") for name in ("rank", "score"))
    rows = frame.withColumns(
        {
            "item_id": _id_text(frame, "item_id"),
            "rank": F.when(rank % 1 == 0, rank.try_cast("int")),
            "neighbor_id": _id_text(frame, "neighbor_id"),
            "score": F.when(F.abs(score) < float("inf"), score),
        }
    )
    wrong = {name: F.count_if(F.col(name).isNull()).alias(name) for name in COLUMNS}
    bad = F.count_if(F.expr(" OR ".join(f"{name} IS NULL" for name in COLUMNS))).alias("bad")
    counts = rows.agg(F.count("*").alias("rows"), bad, *wrong.values()).collect()[0]
    if not counts["rows"]:
        raise InputDataError("The index has no rows; write it again.")
    if counts["bad"]:
        named = ", ".join(name for name in COLUMNS if counts[name])
        raise InputDataError(
            f"{counts['bad']:,} rows of the index have an empty field, or a rank or score that is"
            f" not a number (in {named}); remove them first."
        )
    return rows


def _id_text(frame: DataFrame, name: str) -> Column:
    """An id as text; of a number with decimals only where it is whole, else null."""
    kind, column = frame.schema[name].dataType, F.col(name)
    if isinstance(kind, FractionalType):
        exact = (column % 1 == 0) & (F.abs(column) < LARGEST_WHOLE)
        return F.when(exact, column.try_cast("bigint").cast("string"))
    if not isinstance(kind, (StringType, IntegralType)):
        raise InputDataError(
            f"Ids must be text or whole numbers, and column {name} is {kind.simpleString()};"
            " cast it first."
        )
    return column.cast("string")


def _as_known(rows: DataFrame, items: DataFrame) -> DataFrame:
    """The rows, with their ids as the catalogue has them where a program wrote 7 as 7.0.

    Raises:
        InputDataError: none of the ids is known either way.
    """
    if _any_known(rows, items):
        return rows
    ids = ("item_id", "neighbor_id")
    whole = rows.withColumns({name: F.regexp_replace(name, r"^(-?\d+)\.0+$", "$1") for name in ids})
    if _any_known(whole, items):
        log_message("the index writes its ids with .0 at the end; they are compared without it")
        return whole
    theirs, ours = (
        ", ".join(repr(row["item_id"]) for row in frame.select("item_id").limit(3).collect())
        for frame in (rows, items)
    )
    raise InputDataError(
        f"None of the item ids of the index is known: it has ids such as {theirs}, and the log and"
        f" catalogue have ids such as {ours}; write the index with the ids of the log."
    )


def _any_known(rows: DataFrame, items: DataFrame) -> bool:
    return not rows.join(items.select("item_id"), "item_id", "left_semi").isEmpty()
