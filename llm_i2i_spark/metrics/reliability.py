"""Reliability of confidences: whether what is said to come true with probability p does so."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

BINS = 10
Z95 = 1.959963984540054
"""Standard normal quantile of 97.5 %."""


@dataclass(frozen=True)
class ReliabilityBin:
    """Some predictions of like confidence.

    Attributes:
        confidence: their mean.
        rate: the share of them that came true.
        count: how many they are.
    """

    confidence: float
    rate: float
    count: int

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the rate: Wilson's score interval (JASA 1927)."""
        centre = self.rate + Z95**2 / (2 * self.count)
        width = Z95 * sqrt(self.rate * (1 - self.rate) / self.count + Z95**2 / (4 * self.count**2))
        scale = 1 + Z95**2 / self.count
        return max((centre - width) / scale, 0.0), min((centre + width) / scale, 1.0)


@dataclass(frozen=True)
class Reliability:
    """How well confidences are calibrated.

    ece = sum over bins of (count / all) |rate - confidence|: the expected calibration error (Naeini
    et al., AAAI 2015) over bins of equal size (Nixon et al., CVPR workshops 2019). Where few
    predictions come true, a constant has a low one too: `log_loss` beside `base_log_loss`, that of
    the constant `rate`, says what the confidences tell apart.

    Attributes:
        ece: expected calibration error, 0 to 1.
        rate: the share of all predictions that came true.
        log_loss: mean of -ln p of what happened, in nats.
        base_log_loss: the same of the constant `rate`.
        bins: by rising confidence; of equal size, to one.
    """

    ece: float
    rate: float
    log_loss: float
    base_log_loss: float
    bins: tuple[ReliabilityBin, ...]

    @classmethod
    def measure(cls, confidence: ArrayLike, outcome: ArrayLike, bins: int = BINS) -> Reliability:
        """Compare confidences with what happened.

        Half of what is said to come true in one of four cases does:

        >>> Reliability.measure([0.25, 0.25, 0.75, 0.75], [0, 1, 1, 1], bins=2).ece
        0.25

        Args:
            confidence: (n,) of predictions that were made without their outcomes; n > 0.
            outcome: (n,) whether they came true.
            bins: how many; fewer where there are not so many predictions.
        """
        said, came = np.asarray(confidence, np.float64), np.asarray(outcome, np.bool_)
        order = np.argsort(said, kind="stable")
        parts = np.array_split(order, min(bins, len(order)))
        found = tuple(
            ReliabilityBin(float(said[part].mean()), float(came[part].mean()), len(part))
            for part in parts
        )
        errors = [each.count * abs(each.rate - each.confidence) for each in found]
        rate = float(came.mean())
        return cls(
            sum(errors) / len(order),
            rate,
            _log_loss(said, came),
            _log_loss(np.full(len(order), rate), came),
            found,
        )

    @property
    def count(self) -> int:
        """How many predictions there were."""
        return sum(each.count for each in self.bins)

    def to_json(self) -> str:
        """All of it as one line of JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Reliability:
        """The reliability that `to_json` wrote."""
        values = json.loads(text)
        return cls(**{**values, "bins": tuple(ReliabilityBin(**each) for each in values["bins"])})


def _log_loss(said: np.ndarray, came: np.ndarray) -> float:
    # As far from 0 and 1 as a double can tell, so that certainty that fails stays finite.
    of_outcome = np.clip(np.where(came, said, 1 - said), np.finfo(np.float64).tiny, 1.0)
    return float(-np.log(of_outcome).mean())
