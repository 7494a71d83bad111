"""What experiments would run before they do, stage by stage, with the time that it is likely to
take: that of the same stage in earlier runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llm_i2i_spark.base.contract import Scope, scope_key, scope_of
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.run_record import Commit, Histories, RunRecord
from llm_i2i_spark.base.stage import Stage
from llm_i2i_spark.experiments.arms import Arm, ArmProject, EvaluatedArm, check_arms, evaluated_as
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


@dataclass(frozen=True)
class ArmCost:
    """What evaluations cost together, whenever they were made.

    Attributes:
        together: seconds of the stages behind them, each counted once.
        alone: seconds if each evaluation ran in a lake of its own.
    """

    together: float
    alone: float

    @property
    def saved(self) -> float:
        """The share of the time that sharing saves."""
        return 1 - self.together / self.alone if self.alone else 0.0

    def words(self) -> str:
        """Both times and what is saved, in words."""
        return (
            f"{self.together:,.0f} s of stages, and {self.alone:,.0f} s if each ran alone:"
            f" sharing saves {self.saved:.0%}"
        )


def cost_of_arms(histories: Histories, evaluated: Sequence[EvaluatedArm]) -> ArmCost:
    """What evaluations cost, by the times of the commits behind them."""
    times = _StageTimes(histories)
    made: dict[str, float] = {}
    alone = 0.0
    for arm in evaluated:
        for planned in arm.plan.stages:
            for result in planned.results:
                fingerprint = result.ingredients.fingerprint
                if fingerprint not in made:
                    made[fingerprint] = times.of_making(planned.stage, fingerprint)
                alone += made[fingerprint]
    return ArmCost(sum(made.values()), alone)


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

    def of_making(self, stage: Stage, fingerprint: str) -> float:
        """Seconds of the first commits that hold exactly this result; 0 where none says it."""
        found = [
            [
                seconds
                for record, seconds in self._timed(table)
                if fingerprint in {one.fingerprint for one in record.scopes.values()}
            ]
            for table in stage.writes
        ]
        return max((seconds[-1] for seconds in found if seconds), default=0.0)

    def _of_table(self, table: str, scope: Scope) -> float | None:
        own = scope_key(TABLES[table].scope_of(scope))
        near = None
        for record, seconds in self._timed(table):
            keys = record.scopes
            if own in keys:
                return seconds
            backbones = {scope_of(key).get("backbone") for key in keys}
            if near is None and scope.get("backbone") in backbones:
                near = seconds
        return near

    def _timed(self, table: str) -> Iterator[tuple[RunRecord, float]]:
        """The records of a table's commits, the latest first, each with its seconds a result."""
        if table not in self._commits:
            self._commits[table] = self._histories.history(table)
        for commit in self._commits[table]:
            if commit.record is not None and commit.seconds is not None:
                yield commit.record, commit.seconds / max(len(commit.record.scopes), 1)
