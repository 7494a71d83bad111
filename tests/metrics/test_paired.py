"""Gains are paired by user, tests reject as often as they may, and Holm's bound holds."""

from __future__ import annotations

import numpy as np
import pytest

from llm_i2i_spark.metrics.paired import PairedMeans, holm, paired_means


def two_systems(ours: np.ndarray, theirs: np.ndarray, resamples: int, seed: int) -> PairedMeans:
    """One metric of two systems, a group a user, in one slice."""
    values = np.stack([theirs, ours], axis=1).astype(float)[:, :, np.newaxis]
    users = np.ones(len(values), np.int64)
    return paired_means(values, users, np.ones((len(values), 1), bool), resamples, seed)


def test_gains_are_those_of_the_same_users() -> None:
    theirs = np.arange(50) % 3
    found = two_systems(theirs + 0.5, theirs, 300, 1).of(0, 0)
    gain = found.gain(1, 0)
    assert gain.value == pytest.approx(0.5)
    assert gain.interval == pytest.approx((0.5, 0.5))
    low, high = found.mean(1).interval
    assert high - low > 0.2
    assert found.relative_gain(1, 0).value == pytest.approx(0.5 / theirs.mean())


def test_a_baseline_without_a_hit_has_no_ratio_and_one_with_few_no_bound() -> None:
    users = np.arange(40)
    nothing = two_systems(users % 2, np.zeros(40), 100, 1).of(0, 0)
    assert nothing.relative_gain(1, 0) is None
    once = two_systems(users % 2, users == 0, 100, 1).of(0, 0)
    assert once.relative_gain(1, 0).interval is None
    assert once.gain(1, 0).interval is not None


def test_p_values_go_by_the_far_side_of_zero() -> None:
    users = np.arange(400)
    same = two_systems(users % 2, users % 2, 99, 1).of(0, 0)
    assert same.p_value(1, 0) == 1.0
    better = two_systems(users % 2, np.zeros(400), 99, 1).of(0, 0)
    assert better.p_value(1, 0) == better.p_value(0, 1) == pytest.approx(2 / 100)


def test_an_interval_that_leaves_zero_out_has_a_small_p_value() -> None:
    draws = np.random.default_rng(5)
    for seed in range(40):
        theirs = draws.random(80) < 0.3
        ours = np.where(draws.random(80) < 0.1, draws.random(80) < 0.6, theirs)
        found = two_systems(ours, theirs, 1000, seed).of(0, 0)
        low, high = found.gain(1, 0).interval
        p_value = found.p_value(1, 0)
        # One resample lies between the two verdicts at the most.
        assert (p_value < 0.05 + 0.002) >= (low > 0 or high < 0)
        assert (p_value < 0.05 - 0.002) <= (low > 0 or high < 0)


def test_equal_systems_are_told_apart_in_about_one_case_of_twenty() -> None:
    draws = np.random.default_rng(7)
    rejected = 0
    for seed in range(300):
        ours, theirs = (draws.random((2, 80)) < 0.3).astype(float)
        rejected += two_systems(ours, theirs, 300, seed).of(0, 0).p_value(1, 0) < 0.05
    assert 0.02 <= rejected / 300 <= 0.09


def test_holm_adjusts_in_steps_and_never_falls() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([0.04]) == [0.04]
    assert holm([]) == []
    draws = np.random.default_rng(3)
    for _ in range(50):
        p_values = draws.random(6).tolist()
        adjusted = holm(p_values)
        assert all(a >= p for a, p in zip(adjusted, p_values, strict=True))
        order = np.argsort(p_values)
        assert (np.diff(np.array(adjusted)[order]) >= 0).all()
