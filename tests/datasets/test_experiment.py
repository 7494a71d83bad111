"""The synthetic A/B test has the measures that it says, and the same rows for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.datasets.experiment import (
    CONTROL,
    TREATMENT,
    SyntheticArm,
    experiment_log,
    simulate_arm,
    write_experiment,
)
from llm_i2i_spark.online.latency import percentile_estimates
from llm_i2i_spark.online.measures import MEASURES
from llm_i2i_spark.online.moments import Moments
from tests.online.arrays import latency_moments, user_values


@pytest.mark.parametrize("arm", [CONTROL, TREATMENT], ids=lambda arm: arm.name)
def test_many_users_show_the_measures_that_the_formulas_give(arm: SyntheticArm) -> None:
    events = simulate_arm(arm, 200_000, np.random.default_rng(0))
    truth = arm.truth()
    moments = Moments.of(user_values(events))
    for measure in MEASURES:
        ratio = measure.of(moments)
        assert ratio is not None
        assert ratio.standard_error is not None
        assert abs(ratio.value - truth[measure.name]) < 4 * ratio.standard_error, measure.name
    for estimate, name in zip(
        percentile_estimates(*latency_moments(events)), ("p50", "p95", "p99"), strict=True
    ):
        assert estimate.value == pytest.approx(truth[f"latency_{name}"], rel=0.01)


def test_the_seed_decides_every_row(tmp_path: Path) -> None:
    paths = [
        write_experiment(tmp_path / name, 200, seed)
        for name, seed in zip("abc", (1, 1, 2), strict=True)
    ]
    first, again, other = (pq.read_table(path) for path in paths)
    assert first.equals(again)
    assert not first.equals(other)


def test_rows_are_those_of_a_real_log() -> None:
    log = experiment_log(300, 5)
    orders = log.filter(pc.equal(log["event"], "order"))
    assert orders["amount"].null_count == 0
    assert orders["request_id"].null_count > 0
    exposures = log.filter(pc.equal(log["event"], "exposure"))
    assert exposures["latency_ms"].null_count == 0
    assert exposures["amount"].null_count == len(exposures)
    # A request has one latency, and belongs to one user.
    kinds = exposures.group_by(["request_id", "user_id", "latency_ms"]).aggregate([])
    assert len(kinds) == len(exposures["request_id"].unique())
    assert set(log["arm"].unique().to_pylist()) == {"control", "treatment"}


def test_an_experiment_has_two_users_at_least(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least 2 users"):
        write_experiment(tmp_path / "log.parquet", 1)
