"""Percentiles and their intervals are latencies that occurred."""

from __future__ import annotations

import numpy as np
import pytest

from llm_i2i_spark.metrics.paired import Estimate
from llm_i2i_spark.online.latency import Latencies, percentile_difference

HUNDRED = Latencies.of(np.arange(100.0, 0.0, -1.0), np.ones(100, np.int64))


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.95, 95), (0.99, 99), (0.991, 100)])
def test_a_percentile_is_the_lowest_latency_that_so_many_do_not_exceed(
    share: float, value: float
) -> None:
    assert HUNDRED.percentile(share) == value


def test_equal_latencies_are_counted() -> None:
    counted = Latencies.of(np.array([5.0, 1.0]), np.array([1, 3]))
    assert [counted.order_statistic(rank) for rank in (1, 3, 4)] == [1.0, 1.0, 5.0]


def test_the_ranks_of_an_interval_are_those_of_the_share() -> None:
    # 100 (.5 -/+ 1.96 * .05) = 40.2 and 59.8, rounded outwards: the textbook's ranks 40 and 61.
    assert HUNDRED.interval(0.5, 0.05) == (40.0, 61.0)


def test_too_few_requests_have_no_interval() -> None:
    assert HUNDRED.interval(0.99, 0.01) is None


def test_limits_of_a_difference_come_from_those_of_both() -> None:
    theirs, ours = Estimate(10.0, (9.0, 12.0)), Estimate(20.0, (19.0, 22.0))
    difference = percentile_difference(ours, theirs)
    assert difference is not None
    assert difference.value == 1.0
    down = np.hypot(np.log(20 / 19), np.log(12 / 10))
    up = np.hypot(np.log(22 / 20), np.log(10 / 9))
    assert difference.interval == pytest.approx((2 * np.exp(-down) - 1, 2 * np.exp(up) - 1))
    assert percentile_difference(ours, Estimate(0.0, None)) is None
    assert percentile_difference(Estimate(20.0, None), theirs) == (1.0, None)
