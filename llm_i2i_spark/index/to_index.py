"""From similarities to an index on DataFrames, without a lake."""

from __future__ import annotations

from typing import Literal

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import ConfigError, InputDataError
from llm_i2i_spark.base.sections.index import IndexConfig
from llm_i2i_spark.index.transform import count_clicks, rank_neighbors
from llm_i2i_spark.lake.frames import Frame, require_columns, spark_frame, text_ids


def to_index(
    similar: Frame,
    size: int = 200,
    normalize: Literal["none", "row"] = "row",
    popularity_exponent: float = 0.0,
    new_item_boost: float = 1.0,
    interactions: Frame | None = None,
) -> DataFrame:
    """The neighbour list of every item, as stage `index` makes it; see `transform.rank_neighbors`.

    Args:
        similar: item_id, neighbor_id, similarity, and synthetic_share where it is known. Columns
            variant and backbone, where there are any, stay, and lists are made within each.
        size: longest list.
        normalize: `row`, scores over the row's Euclidean length; `none`, as they are, which suits
            backbones whose similarities are probabilities: `EmTransitions`, `Attribution`, `Blend`.
        popularity_exponent: score * (clicks of the neighbour) ** -exponent; 0 leaves it alone.
        new_item_boost: factor of the scores of neighbours without a click; 1 leaves them alone.
        interactions: what the similarities were made from (item_id a row), to count clicks; where
            there is a column source, its real rows alone, and where there is a column variant,
            each variant by itself.

    Returns:
        item_id, neighbors array<struct<item_id, score, rank, synthetic_share>>, best first.

    Raises:
        UserError: a column is missing, or clicks are wanted and there are no interactions.
    """
    frame = spark_frame(similar)
    require_columns(frame, ("item_id", "neighbor_id", "similarity"), "The similarities")
    rows = text_ids(frame, ("item_id", "neighbor_id"))
    rows = rows.withColumn("similarity", F.col("similarity").cast("double"))
    if "synthetic_share" not in rows.columns:
        rows = rows.withColumn("synthetic_share", F.lit(None).cast("double"))
    settings = IndexConfig(
        size=size,
        normalize=normalize,
        popularity_exponent=popularity_exponent,
        new_item_boost=new_item_boost,
    )
    wanted = popularity_exponent or new_item_boost != 1
    clicks = _clicks(rows, interactions) if wanted else None
    return rank_neighbors(rows, clicks, settings)


def _clicks(similar: DataFrame, interactions: Frame | None) -> DataFrame:
    if interactions is None:
        raise ConfigError(
            "popularity_exponent above 0 and new_item_boost count the clicks of each item: give"
            " to_index the interactions that the similarities were made from."
        )
    frame = spark_frame(interactions)
    require_columns(frame, ("item_id",), "The interactions")
    if "variant" in frame.columns and "variant" not in similar.columns:
        raise InputDataError(
            "The interactions have a column variant and the similarities none; choose one variant"
            " of the interactions with .where(...) and drop the column."
        )
    return count_clicks(text_ids(frame, ("item_id",)))
