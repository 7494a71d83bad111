"""Calibrated confidence: the probability that a proposed item is the user's next one, from the
scores of both models.

p = sigmoid(b + a₁·log_prob + a₂·p_yes_logit): logistic regression (Platt 1999), fitted on users
whose last item was withheld from training. Both slopes are held at or above zero, so that a higher
score never lowers the confidence.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit


@dataclass(frozen=True)
class Calibration:
    """A fitted logistic regression.

    Attributes:
        log_prob: slope a₁, log-odds per nat of the generator's log-probability; at least 0.
        p_yes_logit: slope a₂, log-odds per unit of the discriminator's logit; at least 0.
        intercept: b, log-odds.
    """

    log_prob: float
    p_yes_logit: float
    intercept: float

    @classmethod
    def fit(
        cls,
        log_prob: ArrayLike,
        p_yes_logit: ArrayLike,
        hit: ArrayLike,
        weight: ArrayLike | None = None,
    ) -> Calibration:
        """Fit on proposals whose outcome is known.

        Args:
            log_prob: [n] the generator's log-probability of each proposed item.
            p_yes_logit: [n] the discriminator's Yes-minus-No logit.
            hit: [n] whether the item is the withheld one.
            weight: [n] sample weights; None: all 1.

        Returns:
            The regression; where all outcomes are equal, or neither score helps, the constant
            (hits + 1/2) / (n + 1).
        """
        # Imported here, since those who only read a calibration need a second less without it.
        from sklearn.linear_model import LogisticRegression

        features = np.stack(
            [np.asarray(log_prob, np.float64), np.asarray(p_yes_logit, np.float64)], axis=1
        )
        outcome = np.asarray(hit, np.bool_)
        weights = np.ones(len(outcome)) if weight is None else np.asarray(weight, np.float64)
        used = [0, 1]
        # The weak penalty (C) matters only where a few rows could be separated perfectly.
        while used and 0 < outcome.sum() < len(outcome):
            regression = LogisticRegression(C=100.0, max_iter=1000).fit(
                features[:, used], outcome, sample_weight=weights
            )
            slopes = regression.coef_[0]
            if (slopes >= 0).all():
                slope_of = dict(zip(used, map(float, slopes), strict=True))
                intercept = float(regression.intercept_[0])
                return cls(slope_of.get(0, 0.0), slope_of.get(1, 0.0), intercept)
            used.remove(used[int(np.argmin(slopes))])
        rate = (float((weights * outcome).sum()) + 0.5) / (float(weights.sum()) + 1.0)
        return cls(0.0, 0.0, float(np.log(rate / (1 - rate))))

    def confidence(self, log_prob: ArrayLike, p_yes_logit: ArrayLike) -> NDArray[np.float64]:
        """[n] calibrated probabilities of proposals; arguments as in `fit`."""
        log_odds = self.log_prob * np.asarray(log_prob, np.float64) + self.p_yes_logit * np.asarray(
            p_yes_logit, np.float64
        )
        return np.asarray(expit(log_odds + self.intercept), np.float64)

    def to_json(self) -> str:
        """The coefficients as one line of JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """The calibration that `to_json` wrote."""
        return cls(**json.loads(text))
