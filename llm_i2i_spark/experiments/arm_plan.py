"""What experiments would run before they do, stage by stage, with the time that it is likely to
take: that of the same stage in earlier runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llm_i2i_spark.base.contract import Scope, scope_key, scope_of
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.run_record import Commit, Histories
from llm_i2i_spark.base.stage import Stage
from llm_i2i_spark.experiments.arms import Arm, ArmProject, check_arms, evaluated_as
from llm_i2i_spark.pipeline.plan import Plan, PlannedResult


@dataclass(frozen=True)
class PlannedArm:
    """An arm and what it needs.

    Attributes:
        arm: which.
        stages: seconds of each stage that would run; None where no earlier run says it. Empty
            where the arm was evaluated before.
    """

    arm: Arm
    stages: dict[str, float | None]

    def words(self) -> str:
        """What would run, in words."""
        if not self.stages:
            return "evaluated before"
        return f"{', '.join(self.stages)}: {time_words(list(self.stages.values()))}"


@dataclass(frozen=True)
class ArmPlan:
    """What some arms need, in the order in which they run."""

    arms: tuple[PlannedArm, ...]

    @property
    def seconds(self) -> list[float | None]:
        """Of every stage that would run."""
        return [seconds for arm in self.arms for seconds in arm.stages.values()]

    def lines(self) -> list[str]:
        """The plan as text: a line an arm, and the sum."""
        width = max((len(arm.arm.name) for arm in self.arms), default=0)
        todo = sum(bool(arm.stages) for arm in self.arms)
        lines = [f"{arm.arm.name:<{width}}  {arm.words()}" for arm in self.arms]
        if not todo:
            return [*lines, f"all {len(self.arms)} are there; nothing runs"]
        return [*lines, f"{todo} of {len(self.arms)} run: {time_words(self.seconds)}"]

    def to_dict(self) -> list[dict[str, object]]:
        """For JSON: an entry an arm, with the seconds of each stage that would run; null where no
        earlier run says them.
        """
        return [{"name": one.arm.name, "stages": dict(one.stages)} for one in self.arms]


def plan_arms(project: ArmProject, arms: Sequence[Arm]) -> ArmPlan:
    """What `evaluate_arms` would run, and how long that is likely to take.

    An arm is planned as the lake will stand when the ones before it have run: what they share
    counts once, what they replace counts again.

    Raises:
        UserError: a setting does not fit, or nothing is held out.
    """
    check_arms(project, arms)
    made: dict[tuple[str, str], str] = {}
    times = _StageTimes(project.histories)
    planned = []
    for arm in arms:
        plan = project.with_settings(arm.settings).explain(arm.variants, (arm.backbone,))
        if evaluated_as(plan) is not None:
            planned.append(PlannedArm(arm, {}))
            continue
        planned.append(PlannedArm(arm, _stages_to_run(plan, made, times)))
    return ArmPlan(tuple(planned))


def time_words(seconds: Sequence[float | None]) -> str:
    """A sum of times in words, with what is unknown of it."""
    known = [one for one in seconds if one is not None]
    if not known:
        return "time unknown"
    total = sum(known)
    words = f"about {total:.0f} s" if total < 120 else f"about {total / 60:.0f} min"
    unknown = len(seconds) - len(known)
    if not unknown:
        return words
    return f"{words} and {unknown} stage{'' if unknown == 1 else 's'} of unknown time"


def _stages_to_run(
    plan: Plan, made: dict[tuple[str, str], str], times: _StageTimes
) -> dict[str, float | None]:
    """The stages of a plan that have work, given what was made before it; that is added to."""
    found: dict[str, float | None] = {}
    for planned in plan.stages:
        todo = [one for one in planned.results if not _is_made(planned.stage, one, made)]
        if not todo:
            continue
        seconds = [times.of(planned.stage, result.scope) for result in todo]
        known = [one for one in seconds if one is not None]
        found[planned.stage.name] = sum(known) if len(known) == len(seconds) else None
        for result in todo:
            for table in planned.stage.writes:
                made[_key(table, result)] = result.ingredients.fingerprint
    return found


def _is_made(stage: Stage, result: PlannedResult, made: dict[tuple[str, str], str]) -> bool:
    before = made.get(_key(stage.writes[0], result))
    if before is None or TABLES[stage.writes[0]].append:
        return result.up_to_date or before == result.ingredients.fingerprint
    return before == result.ingredients.fingerprint


def _key(table: str, result: PlannedResult) -> tuple[str, str]:
    return table, scope_key(TABLES[table].scope_of(result.scope))


class _StageTimes:
    """Seconds of stages, by the commits of earlier runs."""

    def __init__(self, histories: Histories) -> None:
        self._histories = histories
        self._commits: dict[str, list[Commit]] = {}

    def of(self, stage: Stage, scope: Scope) -> float | None:
        """Seconds for one result: of the same one, or else of another with the same backbone, when
        it was last made; None where no commit says it.
        """
        # The tables of a stage are committed one after the other, each with the time until then.
        found = [self._of_table(table, scope) for table in stage.writes]
        known = [one for one in found if one is not None]
        return max(known) if known else None

    def _of_table(self, table: str, scope: Scope) -> float | None:
        if table not in self._commits:
            self._commits[table] = self._histories.history(table)
        own = scope_key(TABLES[table].scope_of(scope))
        near = None
        for commit in self._commits[table]:
            if commit.record is None or commit.seconds is None:
                continue
            keys = commit.record.scopes
            seconds = commit.seconds / max(len(keys), 1)
            if own in keys:
                return seconds
            backbones = {scope_of(key).get("backbone") for key in keys}
            if near is None and scope.get("backbone") in backbones:
                near = seconds
        return near
