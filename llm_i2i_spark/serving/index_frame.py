"""An index as a Spark DataFrame: choosing its lists, and its rows as a stream of Arrow batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.serving.choice import choose_index
from llm_i2i_spark.serving.rows import INDEX_SCHEMA

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from llm_i2i_spark.lake.frames import Frame

SCOPE = TABLES["item_index"].scope


def select_index(
    index: Frame, variant: str | None = None, backbone: str | None = None
) -> tuple[DataFrame, str | None, str | None]:
    """The lists of one variant and backbone, without empty ones.

    Args:
        index: of Spark or pandas, with the columns of the table `item_index`; `variant` and
            `backbone` may be left out where it holds one index.
        variant: of the lists; None for the preferred one (see `choice.choose_index`).
        backbone: likewise.

    Returns:
        (rows `item_id, neighbors`, variant, backbone); the last two as they were given where the
        frame has no such columns.

    Raises:
        UserError: a column is missing, or there are no such lists.
    """
    from pyspark.sql import functions as F

    from llm_i2i_spark.lake.frames import require_columns, spark_frame, text_ids

    frame = spark_frame(index)
    require_columns(frame, INDEX_SCHEMA.names, "The rows of an index")
    frame = text_ids(frame, ("item_id",))
    if set(SCOPE) <= set(frame.columns):
        pairs = {(row[0], row[1]) for row in frame.select(*SCOPE).distinct().collect()}
        variant, backbone = choose_index(pairs, variant, backbone)
        frame = frame.where((F.col("variant") == variant) & (F.col("backbone") == backbone))
    filled = frame.where(F.size("neighbors") > 0).select(*INDEX_SCHEMA.names)
    return filled, variant, backbone


def stream_rows(index: DataFrame) -> Iterator[pa.RecordBatch]:
    """The rows by item (shorter ids first, then text), a partition at a time on the driver."""
    from pyspark.sql import functions as F

    from llm_i2i_spark.lake.arrow_batches import stream_batches

    for batch in stream_batches(index.orderBy(F.length("item_id"), "item_id")):
        yield batch.select(INDEX_SCHEMA.names)
