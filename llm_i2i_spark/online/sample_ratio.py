"""Whether the arms of an A/B test have as many users as they should: if not, neither has a fair
share of all kinds of users, and no difference can be trusted.

Source: Fabijan et al. 2019, "Diagnosing Sample Ratio Mismatch in Online Controlled Experiments",
KDD.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, isfinite, sqrt

from llm_i2i_spark.base.errors import ConfigError

ALARM = 0.001
"""Below this p-value the split is called wrong: a false alarm in a thousand sound tests."""


@dataclass(frozen=True)
class SampleRatio:
    """Users by arm against the split that was meant.

    Attributes:
        users: of control and treatment.
        expected: share of each, together 1.
    """

    users: tuple[int, int]
    expected: tuple[float, float]

    @property
    def p_value(self) -> float:
        """Pearson's chi-square test: X^2 = sum over the arms of (n - N e)^2 / (N e), with one
        degree of freedom, for which P(X^2 > x) = erfc(sqrt(x / 2)).
        """
        total = sum(self.users)
        statistic = sum(
            (count - total * share) ** 2 / (total * share)
            for count, share in zip(self.users, self.expected, strict=True)
        )
        return erfc(sqrt(statistic / 2))

    @property
    def is_mismatch(self) -> bool:
        """Whether p is below .001."""
        return self.p_value < ALARM

    def sentence(self) -> str:
        """What a reader has to know of it."""
        control, treatment = self.users
        meant = f"{self.expected[0]:.4g} to {self.expected[1]:.4g}"
        if not self.is_mismatch:
            return f"users fit the split {meant} (p = {self.p_value:.3f})"
        return (
            f"SAMPLE RATIO MISMATCH: {control:,} and {treatment:,} users do not fit the split"
            f" {meant} (p = {self.p_value:.1e}), so the arms differ in more than the index; find"
            " out why before you believe any difference below"
        )


def read_split(split: tuple[float, float]) -> tuple[float, float]:
    """The shares of control and treatment from two numbers in their proportion, such as (1, 1).

    Raises:
        ConfigError: they are not two positive numbers.
    """
    if len(split) != 2 or not all(isfinite(part) and part > 0 for part in split):
        raise ConfigError(
            "The expected split must be two numbers above 0, control first, such as 1:1."
        )
    return split[0] / sum(split), split[1] / sum(split)
