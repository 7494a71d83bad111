"""The alarm sounds where users are missing from an arm, and hardly ever elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.online.sample_ratio import SampleRatio, read_split

HALVES = (0.5, 0.5)


def test_the_p_value_is_that_of_the_chi_square_table() -> None:
    # X^2 = 2 * 98^2 / 5000 = 3.8416, whose upper tail is 5 %.
    assert SampleRatio((5098, 4902), HALVES).p_value == pytest.approx(0.05, abs=1e-4)


def test_users_lost_from_one_arm_are_noticed() -> None:
    lost = SampleRatio((50_000, 48_800), HALVES)
    assert lost.is_mismatch
    assert lost.sentence().startswith("SAMPLE RATIO MISMATCH: 50,000 and 48,800 users")


def test_a_sound_split_is_left_in_peace() -> None:
    drawn = np.random.default_rng(11).binomial(20_000, 0.5, 1000)
    alarms = [SampleRatio((int(n), 20_000 - int(n)), HALVES).is_mismatch for n in drawn]
    assert sum(alarms) <= 5
    assert "MISMATCH" not in SampleRatio((10_010, 9_990), HALVES).sentence()


def test_the_split_that_was_meant_decides() -> None:
    users = (9_000, 1_000)
    assert SampleRatio(users, HALVES).is_mismatch
    assert not SampleRatio(users, read_split((9, 1))).is_mismatch


@pytest.mark.parametrize("split", [(0, 1), (-1, 2), (float("nan"), 1), (float("inf"), 1)])
def test_a_split_is_two_positive_numbers(split: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match="two numbers above 0"):
        read_split(split)
