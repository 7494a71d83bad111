"""Calibration is measured on users that it was not fitted on."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from llm_i2i_spark.sft.calibrate import fit_and_measure

pytestmark = pytest.mark.lm


def outcomes(users: int, informative: bool = True, proposals: int = 20):
    random = np.random.default_rng(2)
    found = []
    for _ in range(users):
        log_prob, logit = -random.exponential(3, proposals) - 1, random.normal(0, 1, proposals)
        right = random.random(proposals) < expit(log_prob + logit - 1)
        if not informative:
            log_prob, logit = random.permutation(log_prob), random.permutation(logit)
        found.append(list(zip(log_prob.tolist(), logit.tolist(), right.tolist(), strict=True)))
    return found


def test_confidence_is_right_about_users_it_was_not_fitted_on():
    found = fit_and_measure(outcomes(600))
    assert found.users == 600
    assert found.reliability.count == 12_000
    assert found.reliability.ece < 0.01
    assert found.reliability.log_loss < 0.9 * found.reliability.base_log_loss


def test_what_fits_one_half_alone_is_found_out():
    """Where every other user is right ten times as often, each half is told the other's rate."""
    alike = [[(-1.0, 0.0, n < 1) for n in range(20)] for _ in range(50)]
    other = [[(-1.0, 0.0, n < 10) for n in range(20)] for _ in range(50)]
    mixed = [user for pair in zip(alike, other, strict=True) for user in pair]
    found = fit_and_measure(mixed)
    assert found.reliability.ece == pytest.approx(0.45, abs=0.01)
    # Fitted on all of them and measured on the same, the error would be next to none.
    same = found.calibration.confidence([-1.0], [0.0])[0]
    assert same == pytest.approx(found.reliability.rate, abs=0.01)


def test_the_calibration_is_fitted_on_all_users():
    users = outcomes(40)
    columns = zip(*[outcome for user in users for outcome in user], strict=True)
    assert fit_and_measure(users).calibration == type(fit_and_measure(users).calibration).fit(
        *map(np.array, columns)
    )


def test_one_user_can_be_fitted_but_not_measured():
    found = fit_and_measure(outcomes(1))
    assert (found.reliability, found.users) == (None, 1)
