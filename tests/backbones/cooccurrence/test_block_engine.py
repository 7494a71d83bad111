"""What a cap's lottery lets through: all that can win, and little more."""

from __future__ import annotations

import numpy as np
import pytest

from llm_i2i_spark.backbones.cooccurrence.block_engine import lottery_limits
from llm_i2i_spark.kernels.csr import draw_each
from llm_i2i_spark.kernels.edge_format import NO_LIMIT


def test_no_cap_and_a_cap_that_nobody_reaches_need_no_limits():
    clicks = np.array([3, 0, 5])
    assert len(lottery_limits(clicks, None)) == 0
    assert len(lottery_limits(clicks, 5)) == 0
    assert len(lottery_limits(np.empty(0, np.int64), 5)) == 0


def test_items_within_the_cap_and_a_little_above_are_not_thinned():
    limits = lottery_limits(np.array([0, 1, 100, 101, 10_000]), 100)
    assert (limits[:4] == NO_LIMIT).all()
    assert limits[4] < NO_LIMIT


@pytest.mark.parametrize("cap", [20, 300, 1000])
@pytest.mark.parametrize("clicks", [5_000, 200_000])
def test_a_hot_item_keeps_enough_users_for_its_cap_and_few_more(cap, clicks):
    limit = lottery_limits(np.array([clicks]), cap)[0]
    keys = np.random.default_rng(cap).integers(-(2**31), 2**31, clicks).astype(np.int32)
    for lot in (0, -1, 2**31 - 1, 12345):
        under = int((draw_each(keys, np.full(clicks, lot, np.int32)) <= limit).sum())
        assert cap <= under <= cap + 20 * cap**0.5
