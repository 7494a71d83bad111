"""Intervals hold the truth as often as they say, and say the same when asked again."""

from __future__ import annotations

import numpy as np
import pytest

from llm_i2i_spark.metrics.bootstrap import percentile_interval, resample_means, slice_means


def grouped(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    distinct, counts = np.unique(values, axis=0, return_counts=True)
    return distinct, counts


def test_intervals_cover_the_true_mean_about_95_times_of_100() -> None:
    draws = np.random.default_rng(7)
    inside = 0
    for trial in range(300):
        values, users = grouped((draws.random((400, 1)) < 0.3).astype(float))
        low, high = percentile_interval(
            resample_means(values, users, np.ones((len(users), 1), bool), 400, trial)[:, 0, 0]
        )
        inside += low <= 0.3 <= high
    assert 0.91 <= inside / 300 <= 0.985


def test_width_is_that_of_the_standard_error_even_in_a_slice() -> None:
    values = np.repeat([[0.0], [1.0]], 2, axis=0)
    users = np.array([700, 100, 300, 100])
    member = np.array([[True, False], [True, True], [True, False], [True, True]])
    means = resample_means(values, users, member, 4000, 1)
    for part, share, n in ((0, 400 / 1200, 1200), (1, 0.5, 200)):
        assert means[:, part, 0].mean() == pytest.approx(share, abs=0.004)
        assert means[:, part, 0].std() == pytest.approx((share * (1 - share) / n) ** 0.5, rel=0.06)


def test_one_draw_pairs_the_columns() -> None:
    # The second column is the first plus a tenth for everybody, so no resample can see another
    # difference.
    first = np.array([0.0, 0.2, 0.7])
    values = np.stack([first, first + 0.1], axis=1)
    means = resample_means(values, np.array([5, 6, 7]), np.ones((3, 1), bool), 200, 3)
    assert np.ptp(means[:, 0, 0]) > 0.1
    assert means[:, 0, 1] - means[:, 0, 0] == pytest.approx(0.1, abs=1e-12)


def test_equal_seeds_give_equal_bits_whatever_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    values, users = grouped(np.random.default_rng(0).integers(0, 3, (90, 2)).astype(float))
    member = np.ones((len(users), 1), bool)
    once = resample_means(values, users, member, 50, 11)
    assert np.array_equal(once, resample_means(values, users, member, 50, 11))
    assert not np.array_equal(once, resample_means(values, users, member, 50, 12))
    monkeypatch.setattr("llm_i2i_spark.metrics.bootstrap.CHUNK_CELLS", len(users) * 7)
    assert once == pytest.approx(resample_means(values, users, member, 50, 11), abs=1e-12)


def test_means_and_empty_slices() -> None:
    values, users = np.array([[1.0], [0.0]]), np.array([1, 3])
    member = np.array([[True, False], [True, False]])
    means = slice_means(values, users, member)
    assert means[0, 0] == 0.25
    assert np.isnan(means[1, 0])
    drawn = resample_means(values, users, member, 20, 0)
    assert percentile_interval(drawn[:, 1, 0]) is None
    assert percentile_interval(drawn[:, 0, 0]) is not None
