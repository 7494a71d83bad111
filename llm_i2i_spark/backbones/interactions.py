"""Interactions as users have them, in a Spark or pandas DataFrame, to what backbones read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.lake.frames import Frame, spark_frame

if TYPE_CHECKING:
    from llm_i2i_spark.backbones.base import Backbone

IDS = ("user_id", "item_id")
TEXT = (*IDS, "source")
OPTIONAL = ("source", "weight", "confidence", "position", "ts")


def to_spark(interactions: Frame) -> DataFrame:
    """The columns that a backbone may read, ids as strings.

    Args:
        interactions: a Spark DataFrame; or a pandas one, which is sent to the active session, or
            to a local one where none is active.

    Raises:
        UserError: it is no DataFrame, or lacks a column.
    """
    if isinstance(interactions, pd.DataFrame):
        columns = [str(name) for name in interactions.columns]
        read = [name for name in (*IDS, *OPTIONAL) if name in columns]
        # pandas holds ids of any type, also several in a column.
        frame = interactions[read].astype({name: "string" for name in read if name in TEXT})
    else:
        frame = spark_frame(interactions)
        columns = frame.columns
        read = [name for name in (*IDS, *OPTIONAL) if name in columns]
    missing = [name for name in IDS if name not in read]
    if missing:
        raise InputDataError(
            f"The interactions have no column {' and no column '.join(missing)}; their columns are"
            f" {', '.join(columns)}: rename those that hold the ids."
        )
    rows = spark_frame(frame).select(*read)
    return rows.withColumns({name: F.col(name).cast("string") for name in IDS})


def prepare(frame: DataFrame, backbone: Backbone) -> DataFrame:
    """Rows as `Backbone.compute` takes them: one a (user, item), all columns that it reads.

    Args:
        frame: from `to_spark`.
        backbone: for some of which the order of a user's interactions matters.

    Raises:
        UserError: an id is null, a weight does not fit, or the order is not known.
    """
    columns = frame.columns
    if backbone.needs_order and not {"position", "ts"} & set(columns):
        raise InputDataError(
            f"Backbone {backbone.name} needs the order of a user's interactions; add a column"
            f" position or ts to {', '.join(columns)}."
        )
    weight = F.col("weight").cast("double") if "weight" in columns else F.lit(1.0)
    source = F.coalesce("source", F.lit("real")) if "source" in columns else F.lit("real")
    confidence = F.col("confidence") if "confidence" in columns else F.lit(None)
    rows = frame.withColumns({"weight": weight, "confidence": confidence.cast("double")})
    rows = rows.withColumns({"source": source})
    _check(rows)
    is_real = F.col("source") == "real"
    merged = [
        F.coalesce(F.max(F.when(is_real, F.col("weight"))), F.max("weight")).alias("weight"),
        F.when(F.max(is_real), "real").otherwise("synthetic").alias("source"),
        F.when(F.max(is_real), F.max(F.when(is_real, F.col("confidence"))))
        .otherwise(F.max("confidence"))
        .alias("confidence"),
    ]
    if not backbone.needs_order:
        return rows.groupBy(*IDS).agg(*merged)
    order = "position" if "position" in columns else "ts"
    rows = rows.groupBy(*IDS).agg(*merged, F.min(F.when(is_real, F.col(order))).alias(order))
    if order == "position":
        return rows.withColumn("position", F.col("position").cast("int"))
    by_time = Window.partitionBy("user_id").orderBy(F.asc_nulls_last("ts"), "item_id")
    return rows.withColumn("position", F.when(is_real, F.row_number().over(by_time))).drop("ts")


def _check(rows: DataFrame) -> None:
    """Raise a sentence where a row cannot be used."""
    without_id = F.col("user_id").isNull() | F.col("item_id").isNull()
    fits = (F.col("weight") > 0.0) & (F.col("weight") <= 1.0)
    believable = F.col("confidence").isNull() | F.col("confidence").between(0.0, 1.0)
    found = rows.agg(
        F.count_if(without_id).alias("without_id"),
        F.count_if(~believable).alias("odd_confidence"),
        F.count_if(~F.coalesce(fits, F.lit(False))).alias("odd_weight"),
    ).first()
    assert found is not None
    if found["without_id"]:
        raise InputDataError(
            f"{found['without_id']:,} of the interactions have no user_id or no item_id; drop them"
            " first."
        )
    if found["odd_weight"]:
        raise InputDataError(
            f"{found['odd_weight']:,} of the interactions have a weight that does not fit: it must"
            " be more than 0 and at most 1; divide the weights by the largest, or leave the column"
            " out."
        )
    if found["odd_confidence"]:
        raise InputDataError(
            f"{found['odd_confidence']:,} of the interactions have a confidence that is no"
            " probability: it must be from 0 to 1, or null; correct it, or leave the column out."
        )
