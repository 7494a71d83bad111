"""A sweep: every point evaluated on one lake, what neighbours share made once."""

from __future__ import annotations

from typing import Any, Literal

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.variants import LLM_I2I, find_variant
from llm_i2i_spark.evaluate.report.write import report_path, write_report
from llm_i2i_spark.experiments.arm_plan import ArmPlan, plan_arms
from llm_i2i_spark.experiments.arms import Arm, ArmProject, evaluate_arms, find_metric
from llm_i2i_spark.experiments.sweeps.page import render_sweep
from llm_i2i_spark.experiments.sweeps.points import SweepPoints
from llm_i2i_spark.experiments.sweeps.result import Sweep

TARGETS: dict[str, dict[str, Any]] = {
    "valid": {"split.protocol": "strict", "evaluate.target": "valid"},
    "test": {"evaluate.target": "test"},
}
"""Settings of the fold that a sweep is evaluated on. What is chosen on the validation fold is
trained on the training fold alone.
"""


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
    return plan_arms(project, sweep_arms(points, variant, chosen, target))


def run_sweep(
    project: ArmProject,
    points: SweepPoints,
    metric: str = "recall@10",
    variant: str = LLM_I2I.name,
    backbone: str | None = None,
    target: Literal["valid", "test"] = "valid",
) -> Sweep:
    """Evaluate every point; a second call finds those that are done.

    Args:
        project: the lake and the settings that all points share. Its results of the variant are
            those of the last point in the end.
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
    evaluated = tuple(evaluate_arms(project, arms))
    page = report_path(project.root, f"sweep_{points.name}_{variant}_{chosen}_{target}")
    sweep = Sweep(points, found, variant, chosen, target, evaluated, page)
    write_report(page, render_sweep(sweep))
    if not all(one.found for one in evaluated):
        log_message(
            f"the lake holds {variant} on {chosen} as the last value left it; `llm-i2i run` makes"
            " it with your own settings again"
        )
    return sweep
