"""A user's sessions as histories of their own."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


def split_sessions(rows: DataFrame, gap: int) -> DataFrame:
    """The same rows with the session in place of the user: `user_id` becomes `user_id#n`, n from 1.

    Every id gets its number, so that no session of one user has the id of another.

    Args:
        rows: `user_id, ts` and other columns.
        gap: seconds; a click that comes more than that after the one before it begins a session.
    """
    in_time = Window.partitionBy("user_id").orderBy("ts")
    pause = F.unix_micros("ts") - F.unix_micros(F.lag("ts").over(in_time))
    # Rows of one moment are peers of the window's range, so they count the same sessions.
    number = F.count_if("starts").over(in_time) + 1
    return (
        rows.withColumn("starts", pause > gap * 1_000_000)
        .withColumn("number", number)
        .withColumn("user_id", F.concat("user_id", F.lit("#"), F.col("number").cast("string")))
        .drop("starts", "number")
    )
