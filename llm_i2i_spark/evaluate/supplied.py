"""The evaluation kit for an index that anyone made: a row a neighbour, from any program."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.base.contracts import NEIGHBOR
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.evaluate.accuracy import MetricRow
from llm_i2i_spark.evaluate.measure import Tables, check_holdout, measure
from llm_i2i_spark.lake.tables import Lake

COLUMNS = ("item_id", "rank", "neighbor_id", "score")
BACKBONE = "supplied"


def evaluate_index(
    lake: Lake, config: Config, frame: DataFrame, variant_name: str
) -> list[MetricRow]:
    """Evaluate a table of neighbours as `evaluate` does the project's own, against the latest
    tables of the lake.

    Lists are cut at `index.size` by rank, so that an index is not better for being longer than the
    one that is served.

    Args:
        frame: item_id, rank, neighbor_id, score; ids of any type are compared as strings.
        variant_name: stands in the rows, as does run_id.

    Returns:
        Rows like those of the table `metrics`, with backbone `supplied`; nothing is written.

    Raises:
        UserError: columns are missing, a score is null or not a number, or nothing is held out.
    """
    check_holdout(config)
    _check_columns(frame)
    tables = Tables(
        index=group_neighbors(frame, variant_name, config.index.size),
        interactions=lake.read("interactions"),
        items=lake.read("items"),
        item_stats=lake.read("item_stats"),
    )
    return measure(lake, config, tables, [(variant_name, BACKBONE)], run_id=variant_name).rows


def group_neighbors(frame: DataFrame, variant_name: str, size: int) -> DataFrame:
    """Rows (item_id, rank, neighbor_id, score) as the table `item_index`: one row an item,
    neighbours by rank.
    """
    neighbor = F.struct(
        F.col("rank").cast("int").alias("rank"),
        F.col("neighbor_id").cast("string").alias("item_id"),
        F.col("score").cast("double").alias("score"),
    )
    grouped = frame.where(F.col("rank") <= size).groupBy(
        F.col("item_id").cast("string").alias("item_id")
    )
    lists = grouped.agg(F.sort_array(F.collect_list(neighbor)).alias("rows"))
    kept = F.transform(
        "rows",
        lambda row: F.struct(
            row["item_id"].alias("item_id"),
            row["score"].alias("score"),
            row["rank"].alias("rank"),
            F.lit(0.0).alias("synthetic_share"),
        ),
    )
    return lists.select(
        F.lit(variant_name).alias("variant"),
        F.lit(BACKBONE).alias("backbone"),
        "item_id",
        kept.cast(f"array<{NEIGHBOR}>").alias("neighbors"),
    )


def _check_columns(frame: DataFrame) -> None:
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise UserError(
            f"The index file needs the columns {', '.join(COLUMNS)} and lacks {', '.join(missing)}."
        )
    wrong = " OR ".join(f"{name} IS NULL" for name in COLUMNS) + " OR isnan(score)"
    bad = frame.where(wrong).count()
    if bad:
        raise UserError(
            f"{bad:,} rows of the index file have an empty field or a score that is not a number;"
            " remove them first."
        )
