"""Intervals of 95 % hold the truth in about 95 of 100 simulated tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from llm_i2i_spark.datasets.experiment import CONTROL, TREATMENT, ArmEvents, simulate_arm
from llm_i2i_spark.metrics.paired import Estimate
from llm_i2i_spark.online.compare_arms import latency_figures
from llm_i2i_spark.online.comparison import ArmFigure
from llm_i2i_spark.online.latency import percentile_estimates
from llm_i2i_spark.online.measures import MEASURES
from llm_i2i_spark.online.moments import Moments, relative_difference
from tests.online.arrays import latency_moments, user_values

SIMULATIONS = 200
USERS = 4_000
"""Of an arm. With few requests beyond a percentile its interval, whose ranks are rounded outwards,
holds the truth too often.
"""
LATENCIES = ("latency_p50", "latency_p95", "latency_p99")
NAMES = (*(measure.name for measure in MEASURES), *LATENCIES)


def figures(arms: tuple[ArmEvents, ArmEvents]) -> Iterator[ArmFigure]:
    """All measures of a simulated test, as `compare_arms` makes them from its sums."""
    control, treatment = (Moments.of(user_values(arm)) for arm in arms)
    for measure in MEASURES:
        theirs, ours = measure.of(control), measure.of(treatment)
        assert theirs is not None
        assert ours is not None
        difference = relative_difference(ours, theirs)
        yield ArmFigure(
            measure.name,
            "",
            measure.estimate(theirs),
            measure.estimate(ours),
            difference,
            measure.number_format,
        )
    found = {name: latency_moments(arm) for name, arm in zip("ct", arms, strict=True)}
    latencies = {name: one for name, (one, _) in found.items()}
    moments: dict[str | None, Moments] = {name: one for name, (_, one) in found.items()}
    yield from latency_figures(latencies, moments, "ct")


def holds(estimate: Estimate | None, truth: float) -> bool:
    assert estimate is not None
    assert estimate.interval is not None
    return estimate.interval[0] <= truth <= estimate.interval[1]


@pytest.fixture(scope="module")
def held() -> Counter[tuple[str, str]]:
    """In how many simulations an interval held the truth, by part of the figure and measure; and
    of CTR taken for a share of independent exposures.
    """
    truths = CONTROL.truth(), TREATMENT.truth()
    counted: Counter[tuple[str, str]] = Counter()
    random = np.random.default_rng(20240601)
    for _ in range(SIMULATIONS):
        control = simulate_arm(CONTROL, USERS, random)
        arms = control, simulate_arm(TREATMENT, USERS, random)
        for figure in figures(arms):
            theirs, ours = (truth[figure.name] for truth in truths)
            counted["control", figure.name] += holds(figure.control, theirs)
            counted["treatment", figure.name] += holds(figure.treatment, ours)
            counted["difference", figure.name] += holds(figure.difference, ours / theirs - 1)
        exposures, clicks = len(control.exposure_request), len(control.clicked)
        share = clicks / exposures
        half = 1.96 * np.sqrt(share * (1 - share) / exposures)
        counted["independent", "ctr"] += abs(share - truths[0]["ctr"]) <= half
    return counted


@pytest.mark.parametrize("part", ["control", "treatment", "difference"])
@pytest.mark.parametrize("name", NAMES)
def test_an_interval_holds_the_truth_in_95_of_100_tests(
    held: Counter[tuple[str, str]], name: str, part: str
) -> None:
    assert 0.91 <= held[part, name] / SIMULATIONS <= 0.99


def test_exposures_taken_for_independent_would_give_too_narrow_an_interval(
    held: Counter[tuple[str, str]],
) -> None:
    assert held["independent", "ctr"] / SIMULATIONS < 0.91


def test_requests_of_a_user_are_not_independent_either() -> None:
    """The ranks of an interval are wider apart than those of as many independent requests."""
    events = simulate_arm(CONTROL, 4_000, np.random.default_rng(1))
    latencies, moments = latency_moments(events)
    alone = latencies.interval(0.5, np.sqrt(0.25 / latencies.requests))
    together = percentile_estimates(latencies, moments)[0].interval
    assert alone is not None
    assert together is not None
    assert together[0] < alone[0] < alone[1] < together[1]
