"""What is counted of a log and its catalogue, once: for the lines on the console and for the
estimate of what the language models will cost.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.cost.log_size import LONGEST_COUNTED


@dataclass(frozen=True)
class LogCounts:
    """Counts of the tables `interactions` and `items`.

    Attributes:
        by_fold: interactions.
        users: with at least one.
        items: of the catalogue and of the log.
        untitled: those of them without a title.
        size: what `LogSize.of_counts` reads; it does not grow with the log.
    """

    by_fold: Counter[str]
    users: int
    items: int
    untitled: int
    size: dict[str, Any]


def count_log(interactions: DataFrame, items: DataFrame) -> LogCounts:
    """Count both tables, reading each of them once.

    Args:
        interactions: `position, fold`.
        items: `title, text`.
    """
    # Later positions are counted together: the length of a history is no limit of the result.
    place = F.least("position", F.lit(LONGEST_COUNTED)).alias("position")
    rows = interactions.groupBy("fold", place).count().collect()
    by_fold: Counter[str] = Counter()
    at_position: dict[str, list[int]] = defaultdict(list)
    users = 0
    for fold, position, count in sorted(map(tuple, rows)):
        by_fold[fold] += count
        users += count if position == 0 else 0  # each user has one row there
        if position < LONGEST_COUNTED:
            # A fold that is held out begins where others end.
            at_position[fold] += [0] * (position - len(at_position[fold])) + [count]
    catalogue = items.agg(
        F.count("*"), F.count_if(F.col("title").isNull()), F.avg(F.octet_length("text"))
    ).first()
    assert catalogue is not None
    number, untitled, text_bytes = catalogue
    size = {
        "at_position": dict(at_position),
        "items": number,
        "text_bytes": round(text_bytes or 0.0, 1),
    }
    return LogCounts(by_fold, users, number, untitled, size)
