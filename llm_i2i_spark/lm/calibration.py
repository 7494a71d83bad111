"""Confidence: how likely a proposed item really is the user's next one, from what both models say
of it.

p = sigmoid(b + a₁·log_prob + a₂·p_yes_logit), a logistic regression (Platt 1999) fitted on users
whose last item was withheld from training. Both coefficients are held at or above zero, so that
more probability never means less confidence.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression


@dataclass(frozen=True)
class Calibration:
    """The fitted line on the log-odds scale."""

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
            weight: [n] how much each row counts; None: all 1.

        Returns:
            The regression; where all outcomes agree, or neither model helps, the constant (hits +
            1/2) / (n + 1).
        """
        features = np.stack(
            [np.asarray(log_prob, np.float64), np.asarray(p_yes_logit, np.float64)], axis=1
        )
        outcome = np.asarray(hit, np.bool_)
        counts = np.ones(len(outcome)) if weight is None else np.asarray(weight, np.float64)
        used = [0, 1]
        # The faint penalty (C) only matters where a handful of rows could be told apart perfectly.
        while used and 0 < outcome.sum() < len(outcome):
            line = LogisticRegression(C=100.0, max_iter=1000).fit(
                features[:, used], outcome, sample_weight=counts
            )
            slopes = line.coef_[0]
            if (slopes >= 0).all():
                found = dict(zip(used, map(float, slopes), strict=True))
                return cls(found.get(0, 0.0), found.get(1, 0.0), float(line.intercept_[0]))
            used.remove(used[int(np.argmin(slopes))])
        rate = (float((counts * outcome).sum()) + 0.5) / (float(counts.sum()) + 1.0)
        return cls(0.0, 0.0, float(np.log(rate / (1 - rate))))

    def confidence(self, log_prob: ArrayLike, p_yes_logit: ArrayLike) -> NDArray[np.float64]:
        """[n] calibrated probabilities of proposals; arguments as in `fit`."""
        line = self.log_prob * np.asarray(log_prob, np.float64) + self.p_yes_logit * np.asarray(
            p_yes_logit, np.float64
        )
        return np.asarray(expit(line + self.intercept), np.float64)

    def to_json(self) -> str:
        """The coefficients as one line of JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """What `to_json` wrote."""
        return cls(**json.loads(text))
