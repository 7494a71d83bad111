"""Rows of public data sets with their lists and flags as text."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.ingest.formats.base import quoted_name
from llm_i2i_spark.ingest.public.layout import Layout

LIST_SEPARATOR = ", "


def finished(frame: DataFrame, layout: Layout) -> DataFrame:
    """The rows with lists, and names of flags, between commas."""
    for name, separator in layout.lists.items():
        if name in frame.columns:
            text = F.replace(name, F.lit(separator), F.lit(LIST_SEPARATOR))
            frame = frame.withColumn(name, text)
    if layout.flags and set(layout.flags) <= set(frame.columns):
        names = [F.when(F.col(quoted_name(one)) == "1", F.lit(one)) for one in layout.flags]
        frame = frame.withColumn("genres", F.concat_ws(LIST_SEPARATOR, *names))
        frame = frame.drop(*layout.flags)
    return frame
