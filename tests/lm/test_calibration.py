"""Confidence is a probability that comes true, and never falls as a model grows surer."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from llm_i2i_spark.lm.calibration import Calibration


def _sample(a: float, b: float, n: int = 20_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    log_prob, logit = -random.exponential(4, n), random.normal(0, 2, n)
    return log_prob, logit, random.random(n) < expit(a * log_prob + b * logit - 1)


def test_it_finds_the_line_that_made_the_outcomes() -> None:
    fitted = Calibration.fit(*_sample(0.8, 0.5))
    np.testing.assert_allclose(
        [fitted.log_prob, fitted.p_yes_logit, fitted.intercept], [0.8, 0.5, -1], atol=0.1
    )
    log_prob, logit, hit = _sample(0.8, 0.5)
    confidence = fitted.confidence(log_prob, logit)
    for low, high in ((0.0, 0.05), (0.05, 0.2), (0.2, 1.0)):
        bin_ = (confidence >= low) & (confidence < high)
        assert abs(confidence[bin_].mean() - hit[bin_].mean()) < 0.02


def test_a_model_that_misleads_is_left_out() -> None:
    fitted = Calibration.fit(*_sample(0.8, -0.5))
    assert fitted.p_yes_logit == 0
    assert fitted.log_prob > 0.3
    both = Calibration.fit(*_sample(-0.8, -0.5))
    assert (both.log_prob, both.p_yes_logit) == (0, 0)


def test_rows_count_by_their_weight() -> None:
    log_prob, logit, hit = _sample(0.8, 0.5, 500)
    weight = np.where(np.arange(500) < 250, 2.0, 0.0)
    doubled = Calibration.fit(*(np.tile(column[:250], 2) for column in (log_prob, logit, hit)))
    weighted = Calibration.fit(log_prob, logit, hit, weight)
    np.testing.assert_allclose(
        weighted.confidence(log_prob, logit), doubled.confidence(log_prob, logit), atol=1e-3
    )


def test_without_contrast_it_is_the_smoothed_rate() -> None:
    for hit, rate in (([0, 0, 0], 0.5 / 4), ([1, 1, 1], 3.5 / 4)):
        fitted = Calibration.fit([-1, -2, -3], [1, 2, 3], hit)
        np.testing.assert_allclose(fitted.confidence([-9, 0], [5, -5]), rate)
    assert Calibration.fit([], [], []).confidence([-1], [1])[0] == 0.5


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-50, 0), st.floats(-50, 50), st.booleans()), min_size=1, max_size=30
    )
)
def test_more_probability_never_means_less_confidence(
    rows: list[tuple[float, float, bool]],
) -> None:
    fitted = Calibration.fit(*zip(*rows, strict=True))
    ladder = np.linspace(-50, 0, 20)
    for confidence in (
        fitted.confidence(ladder, np.zeros(20)),
        fitted.confidence(np.full(20, -1.0), ladder),
    ):
        assert (np.diff(confidence) >= 0).all()
        assert ((confidence >= 0) & (confidence <= 1)).all()


def test_json_keeps_it_exactly() -> None:
    fitted = Calibration.fit(*_sample(0.8, 0.5, 1000))
    assert Calibration.from_json(fitted.to_json()) == fitted
