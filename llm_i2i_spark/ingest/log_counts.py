"""What is counted of a log for the estimate of what the language models will cost."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.cost.log_size import LONGEST_COUNTED


def log_size(interactions: DataFrame, items: DataFrame) -> dict[str, Any]:
    """The counts that `LogSize.of_counts` reads; their size does not grow with the log.

    Args:
        interactions: `position, fold`.
        items: `text`.
    """
    rows = (
        interactions.where(F.col("position") < LONGEST_COUNTED)
        .groupBy("fold", "position")
        .count()
        .collect()
    )
    at_position: dict[str, list[int]] = defaultdict(list)
    for fold, position, count in sorted(map(tuple, rows)):
        # A fold that is held out begins where others end.
        at_position[fold] += [0] * (position - len(at_position[fold])) + [count]
    catalogue = items.agg(F.count("*"), F.avg(F.octet_length("text"))).first()
    assert catalogue is not None
    number, text_bytes = catalogue
    return {
        "at_position": dict(at_position),
        "items": number,
        "text_bytes": round(text_bytes or 0.0, 1),
    }
