"""One figure of a table: ours over the seeds, the published one, and by rule what holds of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llm_i2i_spark.evaluate.figures import Figure

Interval = tuple[float, float]

HOLDS = "holds"
WITHIN_CHANCE = "same sign, within chance"
NOT_SEEN = "not seen, within chance"
FAILS = "fails: the opposite"
UNTESTED = {True: "same sign, not tested", False: "opposite sign, not tested"}
VERDICTS = (HOLDS, WITHIN_CHANCE, *UNTESTED.values(), NOT_SEEN, FAILS)
"""What can be said of a published gain, from the best to the worst."""


@dataclass(frozen=True)
class TableFigure:
    """A metric of a row.

    Attributes:
        by_seed: our figure for each seed; empty where it was not made.
        baseline: our value of the row that the gain is over, for each seed.
        published: the published value; None without one.
        published_baseline: likewise of the row that the gain is over.
    """

    by_seed: tuple[Figure, ...]
    baseline: tuple[float, ...] = ()
    published: float | None = None
    published_baseline: float | None = None

    @property
    def value(self) -> float | None:
        """The mean over the seeds."""
        return _mean([figure["value"] for figure in self.by_seed])

    @property
    def range(self) -> Interval | None:
        """The least and the greatest value over the seeds."""
        values = [figure["value"] for figure in self.by_seed]
        return (min(values), max(values)) if values else None

    @property
    def interval(self) -> Interval | None:
        """From the lowest lower end to the highest upper end of the seeds' 95 % intervals."""
        return _hull([figure.get("interval") for figure in self.by_seed])

    @property
    def gain(self) -> float | None:
        """The relative gain, the mean over the seeds."""
        gains = [
            figure["value"] / before - 1
            for figure, before in zip(self.by_seed, self.baseline, strict=False)
            if before
        ]
        return _mean(gains)

    @property
    def gain_interval(self) -> Interval | None:
        """Of the relative gain, paired by user, as `interval`; None where it is not paired."""
        return _hull([figure.get("relative_gain_interval") for figure in self.by_seed])

    @property
    def published_gain(self) -> float | None:
        """The published relative gain."""
        if self.published is None or not self.published_baseline:
            return None
        return self.published / self.published_baseline - 1

    @property
    def covers_published_gain(self) -> bool | None:
        """Whether the published gain lies in the interval of ours; None without one of them."""
        bounds, printed = self.gain_interval, self.published_gain
        if bounds is None or printed is None:
            return None
        return bounds[0] <= printed <= bounds[1]

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`: whether our gain has the sign of the published one, and whether its
        interval leaves 0 out; empty without one of them, or where the published gain is 0.
        """
        ours, printed = self.gain, self.published_gain
        if ours is None or not printed:
            return ""
        same = round(ours, 9) * printed > 0  # equal indexes differ in the last digits of a sum
        bounds = self.gain_interval
        if bounds is None:
            return UNTESTED[same]
        if bounds[0] <= 0 <= bounds[1]:
            return WITHIN_CHANCE if same else NOT_SEEN
        return HOLDS if same else FAILS


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _hull(intervals: Sequence[Sequence[float] | None]) -> Interval | None:
    known = [one for one in intervals if one is not None]
    if not known or len(known) < len(intervals):
        return None
    return min(one[0] for one in known), max(one[1] for one in known)
