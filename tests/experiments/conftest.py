"""A lake of 150 users on which the experiments run for real, with a tiny model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from llm_i2i_spark import Project
from llm_i2i_spark.datasets.tables import write_synthetic
from llm_i2i_spark.experiments.arm_plan import ArmPlan
from llm_i2i_spark.experiments.sweeps.presets import find_preset
from llm_i2i_spark.experiments.sweeps.result import Sweep
from llm_i2i_spark.experiments.sweeps.sweep import plan_sweep, run_sweep
from tests.e2e.conftest import TINY

PRESET = find_preset("rows_per_user")
POINTS = replace(PRESET, points=(PRESET.points[0], PRESET.points[3]))
"""No synthetic row, and five a user: all that the tiny generator proposes."""


@pytest.fixture(scope="package")
def shop(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project without a run. Its models never see the validation fold, so that sweeps on that
    fold and tables on the test fold can share them.
    """
    folder = tmp_path_factory.mktemp("shop")
    interactions, items = write_synthetic(folder, 150, 120, 7)
    settings = dict(setting.split("=") for setting in TINY if not setting.startswith("spark."))
    given = {**settings, "split.protocol": "strict", "evaluate.ks": (5, 10)}
    return Project(folder / "lake", interactions=interactions, items=items, settings=given)


@pytest.fixture(scope="package")
def plan_before(shop: Project) -> ArmPlan:
    """The plan of a sweep of which nothing is there."""
    return plan_sweep(shop, POINTS)


@pytest.fixture(scope="package")
def sweep(shop: Project, plan_before: ArmPlan) -> Sweep:
    """The sweep of two points."""
    return run_sweep(shop, POINTS)
