"""Running a plan: the stages in order, each only for the results that are not there yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.contract import result_name, scope_key
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.base.fingerprint import Ingredients
from llm_i2i_spark.base.phases import reached
from llm_i2i_spark.base.run_record import Commit
from llm_i2i_spark.base.stage import PinnedRun, Stage
from llm_i2i_spark.lake.session import session_settings
from llm_i2i_spark.lake.tables import Lake
from llm_i2i_spark.pipeline.executions import execute_all
from llm_i2i_spark.pipeline.find_results import find_version
from llm_i2i_spark.pipeline.plan import Plan, PlannedResult, PlannedStage
from llm_i2i_spark.pipeline.plan_cost import ASKS_MODELS, Bill, bill_of, plan_cost


@dataclass(frozen=True)
class StageOutcome:
    """The result of one stage.

    Attributes:
        stage: its name.
        seconds: of wall clock; 0 where it was skipped.
        skipped: whether everything was up to date.
        commits: the latest commit of this run's results in each table.
        bill: what it took of the devices of the language models; None where it asks none.
    """

    stage: str
    seconds: float
    skipped: bool
    commits: dict[str, Commit] = field(repr=False)
    bill: Bill | None = None

    @property
    def versions(self) -> dict[str, int]:
        """Version of each table."""
        return {table: commit.version for table, commit in self.commits.items()}

    @property
    def rows(self) -> dict[str, int | None]:
        """Rows that the commit of each table wrote; None where it does not say."""
        return {table: commit.rows for table, commit in self.commits.items()}


OnStage = Callable[[StageOutcome], None]
"""Called with the outcome of each stage, when all its tables are committed."""


def skip_plan(plan: Plan, on_stage: OnStage) -> list[StageOutcome]:
    """The outcomes of a plan in which everything is up to date; needs no session."""
    outcomes = []
    for number, planned in enumerate(plan.stages, start=1):
        outcomes.append(_skipped(planned, _heading(number, plan)))
        on_stage(outcomes[-1])
    return outcomes


def run_plan(lake: Lake, plan: Plan, run_id: str, on_stage: OnStage) -> list[StageOutcome]:
    """Run the stages of a plan in order; one whose tables already hold its results is left alone.

    A killed command is resumed by giving it again: the stages that had committed all their tables
    are found up to date by their fingerprints, and the first that had not starts over from its
    pinned inputs.

    Args:
        lake: the tables.
        plan: from `make_plan`.
        run_id: of the records.
        on_stage: called after each stage.

    Returns:
        An outcome a stage.

    Raises:
        StageError: another run replaced what this one reads, and it is no longer readable.
    """
    for planned in plan.stages:
        wanted = [result for result in planned.results if not result.up_to_date]
        for group in _same_settings(wanted):
            planned.stage.prepare(group[0].config, [result.scope for result in group])
    outcomes: list[StageOutcome] = []
    for number, planned in enumerate(plan.stages, start=1):
        heading = _heading(number, plan)
        if planned.up_to_date:
            outcomes.append(_skipped(planned, heading))
        else:
            if planned.stage.name in ASKS_MODELS and not any(one.bill for one in outcomes):
                _tell_cost(plan, lake)
            outcomes.append(_run_stage(lake, planned, run_id, heading))
        on_stage(outcomes[-1])
    return outcomes


def _tell_cost(plan: Plan, lake: Lake) -> None:
    """Say what the language models will cost: stage ingest may have counted the log since the plan
    was made.
    """
    for line in plan_cost(plan.stages, lake).lines():
        log_message(line)


def _heading(number: int, plan: Plan) -> str:
    return f"[{number}/{len(plan.stages)}] {plan.stages[number - 1].stage.name}"


def _skipped(planned: PlannedStage, heading: str) -> StageOutcome:
    log_message(f"{heading}: up to date")
    return StageOutcome(planned.stage.name, 0.0, True, _latest(planned.results))


def _latest(results: Sequence[PlannedResult]) -> dict[str, Commit]:
    """Of each table the latest commit that holds one of the results."""
    commits: dict[str, Commit] = {}
    for result in results:
        for table, commit in result.present.items():
            if table not in commits or commits[table].version < commit.version:
                commits[table] = commit
    return commits


def _run_stage(lake: Lake, planned: PlannedStage, run_id: str, heading: str) -> StageOutcome:
    stage = planned.stage
    started = time.monotonic()
    wanted = [result for result in planned.results if not result.up_to_date]
    reached("stage begins")
    versions = _resolve_versions(lake, stage, wanted)
    read = ", ".join(f"{table} v{version}" for table, version in versions.items())
    outside = ", ".join(
        f"{name} ({one.description})" for name, one in wanted[0].external_inputs.items()
    )
    log_message(f"{heading}: reads {read or outside}")
    kept = len(planned.results) - len(wanted)
    if kept:
        names = ", ".join(scope_key(result.scope) for result in wanted)
        log_message(f"  for {names}; {kept} other results are up to date")
    groups = _same_settings(wanted)
    executions = [(one[0].config, _pin(stage, one, versions, run_id)) for one in groups]
    reached("versions resolved")
    with session_settings(lake.spark):
        tokens = execute_all(lake, stage, executions)
        for table in stage.writes:
            lake.register(table)
    commits = _check_written(lake, stage, wanted)
    reached("stage committed")
    seconds = time.monotonic() - started
    if tokens is None and stage.name in ASKS_MODELS:
        tokens = _recorded_tokens(lake, stage, wanted)
    bill = bill_of(stage.name, wanted, seconds, tokens)
    wrote = ", ".join(f"{table} v{one.version} ({_count(one)})" for table, one in commits.items())
    took = "" if bill is None else f", {bill}"
    log_message(f"  wrote {wrote} in {seconds:.0f} s{took}")
    return StageOutcome(stage.name, seconds, False, commits, bill)


def _resolve_versions(lake: Lake, stage: Stage, results: Sequence[PlannedResult]) -> dict[str, int]:
    """The version of each table that holds what was planned, and is no longer the latest one where
    another run has written the table meanwhile.

    Raises:
        StageError: no version that can still be read holds it.
    """
    versions: dict[str, int] = {}
    for table in stage.reads:
        scopes = {
            result_name(table, scope): scope
            for result in results
            for scope in result.reads.get(table, ())
        }
        if not scopes:
            continue
        inputs = {key: value for one in results for key, value in one.ingredients.inputs.items()}
        version = find_version(lake.history(table), inputs, scopes)
        if version is None or lake.lost_files(table, version):
            raise StageError(
                f"Stage {stage.name} no longer finds the {', '.join(scopes)} of this run; another"
                " run has replaced it meanwhile. Start this run again."
            )
        versions[table] = version
    return versions


def _same_settings(results: Sequence[PlannedResult]) -> list[list[PlannedResult]]:
    """The results in groups that one execution can produce: equal settings, and for the stages of
    the models one branch at a time.
    """
    groups: dict[str, list[PlannedResult]] = {}
    for result in results:
        branch = result.scope.get("branch", "")
        groups.setdefault(f"{branch} {result.config.digest()}", []).append(result)
    return list(groups.values())


def _pin(
    stage: Stage, group: Sequence[PlannedResult], versions: dict[str, int], run_id: str
) -> PinnedRun:
    first = group[0]
    reads: dict[str, tuple[dict[str, str], ...]] = {}
    for result in group:
        for table, scopes in result.reads.items():
            known = reads.get(table, ())
            reads[table] = (*known, *(scope for scope in scopes if scope not in known))
    return PinnedRun(
        run_id=run_id,
        stage=stage.name,
        reads={table: versions[table] for table in reads},
        read_scopes=reads,
        scopes=tuple(result.scope for result in group),
        results={scope_key(result.scope): result.ingredients.result for result in group},
        external_inputs=dict(first.external_inputs),
        settings={
            key: value for result in group for key, value in result.ingredients.settings.items()
        },
    )


def _check_written(lake: Lake, stage: Stage, results: Sequence[PlannedResult]) -> dict[str, Commit]:
    """The commits that hold the results.

    Raises:
        StageError: one is missing.
    """
    commits: dict[str, Commit] = {}
    for table in stage.writes:
        history = lake.history(table)
        for result in results:
            commit = _commit_with(history, table, result.ingredients)
            if commit is None:
                raise StageError(f"Stage {stage.name} ended without committing {table}.")
            if table not in commits or commits[table].version < commit.version:
                commits[table] = commit
    return commits


def _commit_with(history: Sequence[Commit], table: str, ingredients: Ingredients) -> Commit | None:
    """The latest commit that wrote a result, whatever another run has written over it since."""
    scope = TABLES[table].scope_of(ingredients.scope)
    for commit in history:
        result = commit.record.result(scope) if commit.record else None
        if result is not None and result.fingerprint == ingredients.fingerprint:
            return commit
    return None


def _recorded_tokens(lake: Lake, stage: Stage, results: Sequence[PlannedResult]) -> int | None:
    """The tokens that models were trained on, which a training job leaves in its commits."""
    known = []
    for table in stage.writes:
        history = lake.history(table)
        for result in results:
            commit = _commit_with(history, table, result.ingredients)
            counts = commit.record.attributes.get("tokens") if commit and commit.record else None
            if isinstance(counts, dict):
                known.append(sum(counts.values()))
    return sum(known) if known else None


def _count(commit: Commit) -> str:
    return "rows unknown" if commit.rows is None else f"{commit.rows:,} rows"
