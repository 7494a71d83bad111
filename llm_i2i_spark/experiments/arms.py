"""What an experiment evaluates: systems under settings of their own, each evaluation found again by
its fingerprint.

Whatever an arm leaves in a lake is replaced by the next one; its metrics are not, since they are
rows that later evaluations leave alone. Their commit carries the fingerprint of all that they
depend on, so an arm that was evaluated once, by whatever command, is not made again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.run_record import Histories
from llm_i2i_spark.base.variants import REAL
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.evaluate.metric_rows import MetricRow
from llm_i2i_spark.evaluate.settings import check_holdout
from llm_i2i_spark.metrics import RankingMetric, all_metrics
from llm_i2i_spark.pipeline.plan import Plan, PlannedResult
from llm_i2i_spark.pipeline.runner import StageOutcome


class ArmRun(Protocol):
    """What a run of a project gives back."""

    @property
    def run_id(self) -> str:
        """Of the records of its commits."""

    @property
    def stages(self) -> tuple[StageOutcome, ...]:
        """An outcome a stage."""

    @property
    def metrics(self) -> list[MetricRow]:
        """The metric rows of its evaluation."""


class ArmProject(Protocol):
    """What experiments need of a project: a lake, and runs on it with other settings."""

    @property
    def config(self) -> Config:
        """The effective configuration."""

    @property
    def root(self) -> str | None:
        """The root of the lake; None where it is a schema alone."""

    @property
    def histories(self) -> Histories:
        """Who knows the commits of the tables."""

    def with_settings(self, settings: Mapping[str, Any]) -> ArmProject:
        """The same lake with some options changed, by dotted key."""

    def explain(self, variants: Sequence[str], backbones: Sequence[str] | None = None) -> Plan:
        """What a run would do."""

    def run(self, variants: Sequence[str], backbones: Sequence[str] | None = None) -> ArmRun:
        """Make and evaluate what these variants and backbones need."""

    def metric_rows(self, run_id: str) -> list[MetricRow]:
        """The metric rows of an evaluation."""


@dataclass(frozen=True)
class Arm:
    """A variant on a backbone under some settings, evaluated beside `real` on the same backbone.

    Attributes:
        name: in messages.
        variant: what its index is made from.
        backbone: the item-to-item model.
        settings: options that differ from the project's, by dotted key.
        baseline: whether `real` is evaluated with it, so that its gain is paired by user.
    """

    name: str
    variant: str
    backbone: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    baseline: bool = True

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants that are evaluated together."""
        if not self.baseline or self.variant == REAL.name:
            return (self.variant,)
        return (REAL.name, self.variant)


@dataclass(frozen=True)
class EvaluatedArm:
    """An arm with its metrics.

    Attributes:
        arm: which.
        run_id: of the evaluation.
        plan: what was looked at before it ran: the results that it is made from.
        rows: its metric rows, those of the baseline among them.
        stages_run: the stages that this call ran for it; empty where it was found.
        seconds: of wall clock that they took.
    """

    arm: Arm
    run_id: str
    plan: Plan
    rows: tuple[MetricRow, ...]
    stages_run: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def found(self) -> bool:
        """Whether nothing had to run."""
        return not self.stages_run


def check_arms(project: ArmProject, arms: Sequence[Arm]) -> None:
    """See that the settings of all arms fit, before any of them runs.

    Raises:
        UserError: a setting does not fit, or nothing is held out.
    """
    for arm in arms:
        check_holdout(project.with_settings(arm.settings).config)


def evaluate_arms(project: ArmProject, arms: Sequence[Arm]) -> Iterator[EvaluatedArm]:
    """Evaluate arms one after the other on one lake; those that were evaluated before are read.

    Args:
        project: the lake and the settings that all arms share.
        arms: in the order in which they run: what neighbours share is made once.

    Raises:
        UserError: a setting does not fit, or nothing is held out.
        StageError: a stage failed; the same call goes on from there.
    """
    check_arms(project, arms)
    for number, arm in enumerate(arms, start=1):
        there = project.with_settings(arm.settings)
        log_message(f"experiment {number}/{len(arms)}: {arm.name}")
        plan = there.explain(arm.variants, (arm.backbone,))
        run_id = evaluated_as(plan)
        if run_id is not None:
            log_message(f"  evaluated before, in run {run_id}")
            yield EvaluatedArm(arm, run_id, plan, tuple(there.metric_rows(run_id)))
            continue
        run = there.run(arm.variants, (arm.backbone,))
        ran = [outcome for outcome in run.stages if not outcome.skipped]
        yield EvaluatedArm(
            arm,
            run.run_id,
            plan,
            tuple(run.metrics),
            tuple(outcome.stage for outcome in ran),
            sum(outcome.seconds for outcome in ran),
        )


def evaluated_as(plan: Plan) -> str | None:
    """The run that has made exactly the evaluation of a plan, whatever was written since; None
    where there is none.
    """
    evaluation = evaluation_of(plan)
    if evaluation is None or not evaluation.up_to_date:
        return None
    record = evaluation.present["metrics"].record
    return record.run_id if record else None


def evaluation_of(plan: Plan) -> PlannedResult | None:
    """The evaluation that a plan ends with; None without one."""
    for planned in plan.stages:
        if "metrics" in planned.stage.writes:
            return planned.results[0]
    return None


def find_metric(label: str, ks: Sequence[int]) -> RankingMetric:
    """The ranking metric of a label such as `recall@10`.

    Args:
        label: as tables show it.
        ks: lengths of list that are evaluated.

    Raises:
        ConfigError: there is none of this label.
    """
    known = {one.label: one for one in all_metrics(ks) if isinstance(one, RankingMetric)}
    if label not in known:
        raise ConfigError(
            f"There is no metric {label}; choose one of {', '.join(known)}, or add its length to"
            " evaluate.ks."
        )
    return known[label]
