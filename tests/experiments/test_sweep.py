"""A sweep on a tiny lake: what its values share is made once, and a second call makes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from llm_i2i_spark import Project
from llm_i2i_spark.experiments.arm_plan import ArmPlan
from llm_i2i_spark.experiments.sweeps.result import Sweep
from llm_i2i_spark.experiments.sweeps.sweep import plan_sweep, run_sweep
from tests.experiments.conftest import POINTS, PRESET

pytestmark = [pytest.mark.spark, pytest.mark.lm]

ALL_STAGES = (
    *("ingest", "export", "sft", "generate", "discriminate"),
    *("fuse", "i2i", "index", "evaluate"),
)


def test_before_a_sweep_its_plan_says_what_the_values_share(plan_before: ArmPlan) -> None:
    assert [tuple(arm.stages) for arm in plan_before.arms] == [ALL_STAGES, ALL_STAGES[5:]]
    assert plan_before.lines()[-1] == "2 of 2 run: time unknown"


def test_the_values_share_the_models_and_the_log_as_it_is(sweep: Sweep) -> None:
    assert [one.stages_run for one in sweep.evaluated] == [ALL_STAGES, ALL_STAGES[5:]]
    assert sweep.baseline() == sweep.figure(0, variant="real")


def test_without_a_synthetic_row_the_index_is_that_of_the_log(sweep: Sweep) -> None:
    none, five = sweep.figure(0), sweep.figure(1)
    assert none is not None
    assert five is not None
    assert none["value"] == sweep.figure(0, variant="real")["value"]
    assert none["gain"] == 0
    assert sweep.synthetic_share(0) == 0.0
    assert sweep.synthetic_share(1) == pytest.approx(0.8, abs=0.15)
    assert five["interval"][0] <= five["value"] <= five["interval"][1]


def test_the_tables_of_the_project_are_left_alone(shop: Project, sweep: Sweep) -> None:
    assert [path.name for path in Path(shop.root or "").iterdir() if path.is_dir()] == [
        "experiments"
    ]
    assert sweep.report.startswith(f"{shop.root}/experiments/reports/")


def test_a_second_call_finds_every_value_and_runs_nothing(shop: Project, sweep: Sweep) -> None:
    plan = plan_sweep(shop, POINTS)
    assert plan.lines()[-1] == "all 2 are there; nothing runs"
    again = run_sweep(shop, POINTS)
    assert [one.stages_run for one in again.evaluated] == [(), ()]
    assert [one.rows for one in again.evaluated] == [one.rows for one in sweep.evaluated]


def test_a_new_value_is_planned_with_the_time_of_the_others(shop: Project, sweep: Sweep) -> None:
    (arm,) = plan_sweep(shop, replace(PRESET, points=PRESET.points[1:2])).arms
    assert tuple(arm.stages) == ALL_STAGES[5:]
    assert all(seconds is not None and 0 < seconds < 300 for seconds in arm.stages.values())


def test_the_page_shows_a_line_a_point_and_a_plot_a_kind_of_item(sweep: Sweep) -> None:
    page = Path(sweep.report).read_text()
    assert page.count("<svg") == 2
    figure = sweep.figure(1)
    assert figure is not None
    assert f"{figure['value']:.4f}" in page
    assert "nothing here was chosen on the test fold" in page


def test_a_sweep_is_a_table_of_text_and_of_pandas(sweep: Sweep) -> None:
    title, header, first, *_ = sweep.lines()
    assert "150 users, validation fold" in title
    assert "recall@10, long tail" in header
    assert first.split("  ")[0] == "each counts as a click"
    assert set(sweep.to_pandas()["slice"]) == {"all", "long_tail"}
    assert [point["value"] for point in sweep.to_dict()["points"]] == ["0", "5"]
