"""Reliability: an error of nothing for what comes true as often as it is said to, and no less."""

from __future__ import annotations

import numpy as np
import pytest

from llm_i2i_spark.metrics.reliability import Reliability, ReliabilityBin


def drawn(n: int = 50_000) -> tuple[np.ndarray, np.ndarray]:
    """Confidences as of proposals, most of them low, and outcomes drawn by them."""
    random = np.random.default_rng(5)
    confidence = random.beta(0.4, 8, n)
    return confidence, random.random(n) < confidence


def test_what_comes_true_as_often_as_it_is_said_to_has_next_to_no_error() -> None:
    found = Reliability.measure(*drawn())
    assert found.ece < 0.005
    assert found.log_loss < 0.85 * found.base_log_loss
    low, high = np.array([each.interval for each in found.bins]).T
    said = np.array([each.confidence for each in found.bins])
    assert ((low <= said) & (said <= high)).sum() >= 8


def test_doubled_confidence_has_the_error_of_its_excess() -> None:
    confidence, outcome = drawn()
    found = Reliability.measure(np.minimum(2 * confidence, 1), outcome)
    assert found.ece == pytest.approx(confidence.mean(), abs=0.005)


def test_a_constant_is_calibrated_and_tells_nothing_apart() -> None:
    outcome = np.tile([True, False, False, False], 250)
    found = Reliability.measure(np.full(1000, 0.25), outcome)
    assert found.ece == 0
    assert found.log_loss == pytest.approx(found.base_log_loss, rel=1e-12)
    assert found.log_loss == pytest.approx(-0.25 * np.log(0.25) - 0.75 * np.log(0.75))


def test_bins_are_of_equal_size_by_rising_confidence_and_there_are_no_empty_ones() -> None:
    found = Reliability.measure(np.linspace(1, 0, 103), np.zeros(103))
    sizes = [each.count for each in found.bins]
    assert (sum(sizes), max(sizes) - min(sizes), found.count) == (103, 1, 103)
    said = [each.confidence for each in found.bins]
    assert said == sorted(said)
    few = Reliability.measure([0.2, 0.1], [True, False])
    assert few.bins == (ReliabilityBin(0.1, 0.0, 1), ReliabilityBin(0.2, 1.0, 1))
    assert few.ece == pytest.approx((0.1 + 0.8) / 2)


def test_certainty_that_fails_costs_much_and_stays_finite() -> None:
    found = Reliability.measure([1.0, 0.0], [False, False])
    assert 100 < found.log_loss < np.inf


def test_the_interval_is_wilsons() -> None:
    # Newcombe (Statistics in Medicine 1998), table I: 81 of 263, 1 of 29 and 0 of 20.
    for came, count, bounds in ((81, 263, (0.2553, 0.3662)), (1, 29, (0.0061, 0.1718))):
        found = ReliabilityBin(0.5, came / count, count).interval
        assert found == pytest.approx(bounds, abs=5e-5)
    assert ReliabilityBin(0.5, 0.0, 20).interval == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_json_keeps_it_exactly() -> None:
    found = Reliability.measure(*drawn(1000))
    assert Reliability.from_json(found.to_json()) == found
