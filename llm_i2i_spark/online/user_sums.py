"""From the rows of an event log to sums over the users of each arm: the Spark actions.

What comes to the driver is a row an arm, and a row a distinct latency.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from llm_i2i_spark.online.event_log import CLICK, EXPOSURE, ORDER, EventLog
from llm_i2i_spark.online.latency import DIGITS, PERCENTILES, Latencies
from llm_i2i_spark.online.measures import (
    AMOUNT,
    BUYER,
    CLICKS,
    COLUMNS,
    EXPOSED,
    EXPOSED_BUYER,
    EXPOSURES,
    ORDERS,
)
from llm_i2i_spark.online.moments import Moments

MANY_ARMS = 100
"""Arms of which the log's rows are counted."""


@dataclass(frozen=True)
class LogCounts:
    """Rows of a log.

    Attributes:
        arms: good rows by arm, the largest first.
        bad: rows that do not count, by reason, the most frequent first.
    """

    arms: Mapping[str, int]
    bad: Mapping[str, int]


def count_log(log: EventLog) -> LogCounts:
    """Count the good rows by arm and the others by reason, in one pass."""
    is_good = F.col("reason").isNull()
    groups = log.rows.groupBy(F.when(is_good, F.col("arm")).alias("arm"), "reason").count()
    found = groups.orderBy(F.desc("count"), "arm", "reason").limit(MANY_ARMS).collect()
    arms = {row["arm"]: int(row["count"]) for row in found if row["reason"] is None}
    bad = {row["reason"]: int(row["count"]) for row in found if row["reason"] is not None}
    return LogCounts(arms, bad)


def sum_users(good: DataFrame) -> DataFrame:
    """A row a user: `user_id`, `arm` (null where the user has rows in several) and
    `measures.COLUMNS` as doubles.

    Args:
        good: the rows of all arms that count.
    """
    exposure, order = F.col("event") == EXPOSURE, F.col("event") == ORDER
    users = good.groupBy("user_id").agg(
        F.min("arm").alias("arm"),
        F.max("arm").alias("other_arm"),
        F.count_if(exposure).cast("double").alias(EXPOSURES),
        F.count_if(F.col("event") == CLICK).cast("double").alias(CLICKS),
        F.count_if(order).cast("double").alias(ORDERS),
        F.sum("amount").alias(AMOUNT),
        F.min(F.when(exposure, F.col("moment"))).alias("first_exposure"),
        F.max(F.when(order, F.col("moment"))).alias("last_order"),
    )
    exposed, buyer = F.col(EXPOSURES) > 0, F.col(ORDERS) > 0
    in_time = F.coalesce(F.col("first_exposure") <= F.col("last_order"), F.lit(True))
    flags = {EXPOSED: exposed, BUYER: buyer, EXPOSED_BUYER: exposed & buyer & in_time}
    return users.withColumns(
        {
            "arm": F.when(F.col("arm") == F.col("other_arm"), F.col("arm")),
            **{name: flag.cast("double") for name, flag in flags.items()},
        }
    ).select("user_id", "arm", *COLUMNS)


def moments_by(
    frame: DataFrame, columns: Sequence[str], by: str | None = None
) -> dict[str | None, Moments]:
    """The moments of some columns of doubles, over the rows of each value of another column.

    Args:
        frame: a row a user.
        columns: what is counted.
        by: the column of groups; None for all rows together, under the key None.
    """
    pairs = list(combinations_with_replacement(range(len(columns)), 2))
    rows = frame.groupBy(*([by] if by else [])).agg(
        F.count(F.lit(1)).alias("users"),
        *(F.sum(name).alias(f"sum_{position}") for position, name in enumerate(columns)),
        *(
            F.sum(F.col(columns[one]) * F.col(columns[other])).alias(f"product_{one}_{other}")
            for one, other in pairs
        ),
    )
    found = [row for row in rows.collect() if row["users"]]
    return {row[by] if by else None: _moments(row, len(columns), pairs) for row in found}


def _moments(row: Row, size: int, pairs: Sequence[tuple[int, int]]) -> Moments:
    products = np.zeros((size, size))
    for one, other in pairs:
        products[one, other] = products[other, one] = row[f"product_{one}_{other}"]
    sums = np.array([row[f"sum_{position}"] for position in range(size)], np.float64)
    return Moments(int(row["users"]), sums, products)


def select_requests(good: DataFrame, arms: Sequence[str]) -> DataFrame:
    """A row a request with a latency: (arm, user_id, latency_ms).

    Rows of one user and `request_id` are one request, which took as long as the slowest of them
    says; a row without an id is a request of its own.

    Args:
        good: rows that count, without users of several arms.
        arms: those that are compared.
    """
    timed = good.where(F.col("latency_ms").isNotNull() & F.col("arm").isin(*arms))
    columns = ("arm", "user_id", "latency_ms")
    known = timed.where("request_id IS NOT NULL").groupBy("arm", "user_id", "request_id")
    together = known.agg(F.max("latency_ms").alias("latency_ms")).select(*columns)
    return together.unionByName(timed.where("request_id IS NULL").select(*columns))


def count_latencies(requests: DataFrame) -> dict[str, Latencies]:
    """How often each latency occurs in each arm, latencies rounded to four significant digits.

    Args:
        requests: from `select_requests`, rounded by `rounded`.
    """
    frame = requests.groupBy("arm", "latency_ms").count().toPandas()
    return {
        str(arm): Latencies.of(
            rows["latency_ms"].to_numpy(np.float64), rows["count"].to_numpy(np.int64)
        )
        for arm, rows in frame.groupby("arm")
    }


def rounded(requests: DataFrame) -> DataFrame:
    """The requests with latencies of four significant digits, so that few distinct ones come to
    the driver: 9,000 for each power of ten.
    """
    latency = F.col("latency_ms")
    exponent = F.floor(F.log10(latency)) - (DIGITS - 1)
    # Division by a power of ten gives the double nearest to the decimal, a product does not.
    up, down = F.pow(F.lit(10.0), exponent), F.pow(F.lit(10.0), -exponent)
    short = F.when(exponent >= 0, F.round(latency / up) * up).otherwise(
        F.round(latency * down) / down
    )
    return requests.withColumn("latency_ms", F.when(latency > 0, short).otherwise(0.0))


def request_moments(
    requests: DataFrame, latencies: Mapping[str, Latencies]
) -> dict[str | None, Moments]:
    """The moments, over the users of each arm, of their requests and of those at or below each
    percentile of the arm: what `latency.percentile_estimates` takes.
    """
    below = {
        f"below_{position}": F.coalesce(
            *(
                F.when(F.col("arm") == arm, F.col("latency_ms") <= found.percentile(share))
                for arm, found in latencies.items()
            )
        )
        for position, share in enumerate(PERCENTILES)
    }
    users = requests.groupBy("arm", "user_id").agg(
        F.count(F.lit(1)).cast("double").alias("requests"),
        *(F.count_if(test).cast("double").alias(name) for name, test in below.items()),
    )
    return moments_by(users, ["requests", *below], "arm")
