"""A sweep: every point evaluated in one lake, what they share made once.

It is a lake of its own under that of the project, which stays as it is: a lookup or the next run
finds the tables as they were.
"""

from __future__ import annotations

from typing import Any, Literal

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.variants import LLM_I2I, find_variant
from llm_i2i_spark.evaluate.report.write import report_path, write_report
from llm_i2i_spark.experiments.arm_plan import ArmPlan, plan_arms
from llm_i2i_spark.experiments.arms import Arm, ArmProject, evaluate_arms, find_metric
from llm_i2i_spark.experiments.experiment_lake import VALIDATION, experiment_lake
from llm_i2i_spark.experiments.sweeps.page import render_sweep
from llm_i2i_spark.experiments.sweeps.points import SweepPoints
from llm_i2i_spark.experiments.sweeps.result import Sweep

TARGETS: dict[str, dict[str, Any]] = {
    "valid": VALIDATION,
    "test": {"evaluate.target": "test"},
}
"""Settings of the fold that a sweep is evaluated on. What is chosen on the validation fold is
trained on the training fold alone.
"""


def sweep_project(project: ArmProject) -> ArmProject:
    """The lake in which the sweeps of a project run.

    Raises:
        ConfigError: the project's lake is a schema alone.
    """
    return project.with_settings(experiment_lake(project.root))


def sweep_arms(points: SweepPoints, variant: str, backbone: str, target: str) -> list[Arm]:
    """What a sweep evaluates, in the order of its points.

    Raises:
        ConfigError: there is no such variant.
    """
    find_variant(variant)
    return [
        Arm(f"{points.name} {point.name}", variant, backbone, {**TARGETS[target], **point.settings})
        for point in points.points
    ]


def plan_sweep(
    project: ArmProject,
    points: SweepPoints,
    metric: str = "recall@10",
    variant: str = LLM_I2I.name,
    backbone: str | None = None,
    target: Literal["valid", "test"] = "valid",
) -> ArmPlan:
    """What `run_sweep` with the same arguments would run, and how long that is likely to take."""
    find_metric(metric, project.config.evaluate.ks)
    chosen = backbone or project.config.i2i.backbone
    return plan_arms(sweep_project(project), sweep_arms(points, variant, chosen, target))


def run_sweep(
    project: ArmProject,
    points: SweepPoints,
    metric: str = "recall@10",
    variant: str = LLM_I2I.name,
    backbone: str | None = None,
    target: Literal["valid", "test"] = "valid",
) -> Sweep:
    """Say what has to run and how long that took before, then evaluate every point; a second call
    finds those that are done.

    Args:
        project: the settings that all points share; its own lake is not written.
        points: what to go through.
        metric: a ranking metric, such as `recall@10`.
        variant: what the index is made from; it is compared with `real`.
        backbone: the item-to-item model; None for `i2i.backbone`.
        target: fold that it is evaluated on. `valid` trains on the training fold alone, so that
            nothing is chosen on what is tested.

    Raises:
        UserError: a name is unknown, a value does not fit, or nothing is held out.
        StageError: a stage failed; the same call goes on from there.
    """
    found = find_metric(metric, project.config.evaluate.ks)
    chosen = backbone or project.config.i2i.backbone
    arms = sweep_arms(points, variant, chosen, target)
    lake = sweep_project(project)
    log_message("\n".join(plan_arms(lake, arms).lines()))
    evaluated = tuple(evaluate_arms(lake, arms))
    page = report_path(lake.root, f"{points.name}_{variant}_{chosen}_{target}")
    sweep = Sweep(points, found, variant, chosen, target, evaluated, page)
    write_report(page, render_sweep(sweep))
    return sweep
