"""Ratios from sums: equal to the textbook on small numbers, and no interval where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from llm_i2i_spark.online.moments import Moments, Z, ratio_of, relative_difference


def test_a_mean_has_the_textbook_interval() -> None:
    values = np.array([[1.0], [2.0], [4.0], [9.0]])
    ratio = ratio_of(Moments.of(values), 0)
    assert ratio is not None
    error = values.std(ddof=1) / 2
    assert ratio.estimate.value == 4
    assert ratio.estimate.interval == pytest.approx((4 - Z * error, 4 + Z * error))


def test_a_ratio_varies_as_its_residuals_do() -> None:
    values = np.random.default_rng(3).gamma(2.0, 3.0, (500, 2))
    ratio = ratio_of(Moments.of(values), 0, 1)
    assert ratio is not None
    residuals = values[:, 0] - ratio.value * values[:, 1]
    error = residuals.std(ddof=1) / np.sqrt(500) / values[:, 1].mean()
    assert ratio.standard_error == pytest.approx(error)


def test_the_delta_method_agrees_with_a_bootstrap_over_users() -> None:
    random = np.random.default_rng(5)
    values = np.column_stack([random.poisson(2, 800), random.poisson(9, 800) + 1]).astype(float)
    values[:, 0] *= values[:, 1]
    ratio = ratio_of(Moments.of(values), 0, 1)
    assert ratio is not None
    drawn = [values[random.integers(0, 800, 800)].sum(axis=0) for _ in range(2000)]
    assert ratio.standard_error == pytest.approx(np.std([a / b for a, b in drawn]), rel=0.06)


def test_systems_on_the_same_users_are_compared_in_pairs() -> None:
    base = np.random.default_rng(7).gamma(2.0, 3.0, 300)
    moments = Moments.of(np.column_stack([base, 1.1 * base]))
    theirs, ours = ratio_of(moments, 0), ratio_of(moments, 1)
    apart = ratio_of(Moments.of(1.1 * base[:, None]), 0)
    assert theirs is not None
    assert ours is not None
    assert apart is not None
    paired, unpaired = relative_difference(ours, theirs), relative_difference(apart, theirs)
    assert paired is not None
    assert unpaired is not None
    assert paired.value == pytest.approx(0.1)
    assert unpaired.interval is not None
    assert unpaired.interval[0] < 0 < unpaired.interval[1]
    # One is a tenth more for every user, so nothing is left to chance.
    if paired.interval is not None:
        assert paired.interval == pytest.approx((0.1, 0.1), abs=1e-6)


def test_what_does_not_vary_or_has_nothing_below_it_has_no_interval() -> None:
    everybody = Moments.of(np.ones((50, 2)))
    share = ratio_of(everybody, 0, 1)
    assert share is not None
    assert share.estimate == (1.0, None)
    assert ratio_of(Moments.of(np.zeros((5, 2))), 0, 1) is None
    alone = ratio_of(Moments.of(np.array([[3.0, 2.0]])), 0, 1)
    assert alone is not None
    assert alone.estimate == (1.5, None)


def test_the_interval_of_a_share_ends_at_1() -> None:
    nearly_all = np.ones((40, 1))
    nearly_all[0] = 0
    share = ratio_of(Moments.of(nearly_all), 0)
    assert share is not None
    assert share.estimate.interval is not None
    assert share.estimate.interval[1] > 1
    assert share.share_estimate == (0.975, (share.estimate.interval[0], 1.0))


def test_there_is_no_relative_difference_over_nothing() -> None:
    some, none = (
        ratio_of(Moments.of(np.array([[v], [v + w]])), 0) for v, w in ((1.0, 1), (0.0, 0))
    )
    assert some is not None
    assert none is not None
    assert relative_difference(some, none) is None
    assert relative_difference(none, some) == (-1.0, None)
