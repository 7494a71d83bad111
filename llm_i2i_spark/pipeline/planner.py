"""What would run, and why: every result that some variants and backbones need, by fingerprint.

A fingerprint depends on the fingerprints of what is read, not on versions, so the whole plan is
known before anything runs, and results that did not change are found whatever was written beside
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from llm_i2i_spark.backbones import find_backbone
from llm_i2i_spark.base.contract import Scope, result_name, scope_key, scope_of
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import TableNotFoundError
from llm_i2i_spark.base.external_input import ExternalInput
from llm_i2i_spark.base.fingerprint import Ingredients
from llm_i2i_spark.base.run_record import (
    Commit,
    Histories,
    LostFile,
    ScopeResult,
    commit_of,
    commits_behind,
    erasures_since,
    fingerprint_in,
    foreign_commit,
)
from llm_i2i_spark.base.stage import Stage
from llm_i2i_spark.base.variants import VARIANTS, Variant, find_variant
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.pipeline.find_results import find_result
from llm_i2i_spark.pipeline.pinned_inputs import PinnedInputs
from llm_i2i_spark.pipeline.plan import Plan, PlannedResult, PlannedStage
from llm_i2i_spark.pipeline.plan_cost import plan_cost
from llm_i2i_spark.pipeline.stages import model_tables

System = tuple[Variant, str]
"""A variant and a backbone: what an index is made from, and by which item-to-item model."""


def systems_in(history: Sequence[Commit]) -> list[System]:
    """The systems that a table with variants and backbones holds, by its commits."""
    keys: dict[str, None] = {}
    for commit in commits_behind(history):
        if commit.changes_rows and commit.record is None:
            break
        for key in commit.record.scopes if commit.record else ():
            if key:
                keys.setdefault(key)
    scopes = [scope_of(key) for key in keys]
    known = {one.name for variant in VARIANTS for one in (variant, variant.as_served())}
    return [
        (find_variant(scope["variant"]), scope["backbone"])
        for scope in scopes
        if scope["variant"] in known
    ]


def make_plan(
    histories: Histories,
    config: Config,
    systems: Sequence[System],
    stages: Sequence[Stage],
    inputs: PinnedInputs,
    force: bool = False,
) -> Plan:
    """Compare what the tables hold with what these systems need.

    Args:
        histories: of the tables.
        config: the settings.
        systems: pairs of a variant and a backbone.
        stages: in order, from `stages_for`.
        inputs: what lies outside the lake.
        force: everything has to be made.

    Raises:
        TableNotFoundError: a stage before the first one of `stages` has not written what is read,
            or its files are gone.
    """
    return _Planner(histories, config, systems, inputs, force).plan(stages)


class _Planner:
    def __init__(
        self,
        histories: Histories,
        config: Config,
        systems: Sequence[System],
        inputs: PinnedInputs,
        force: bool,
    ) -> None:
        self._histories, self._config, self._force = histories, config, force
        self._systems, self._inputs = tuple(systems), inputs
        self._expected: dict[tuple[str, str], str] = {}
        self._commits: dict[str, list[Commit]] = {}
        self._lost: dict[str, list[LostFile]] = {}

    def plan(self, stages: Sequence[Stage]) -> Plan:
        planned = []
        for stage in stages:
            results = [self._result(stage, *one) for one in self._results_of(stage)]
            for result in results:
                for table in stage.writes:
                    key = scope_key(TABLES[table].scope_of(result.scope))
                    self._expected[table, key] = result.ingredients.fingerprint
            planned.append(PlannedStage(stage, tuple(results)))
        return Plan(tuple(planned), plan_cost(planned, self._histories))

    def _results_of(self, stage: Stage) -> Iterator[tuple[dict[str, str], Variant | None]]:
        """The scopes of a stage's results, each once, with a variant that needs it."""
        if not stage.scope:
            yield {}, None
            return
        seen = set()
        for variant, backbone in self._systems_in(stage):
            if stage.scope == ("branch",) and not model_tables(variant, backbone) & set(
                stage.writes
            ):
                continue
            values = {"variant": variant.name_in(stage.name), "backbone": backbone}
            values["branch"] = variant.branch_in(stage.name)
            scope = {name: values[name] for name in stage.scope}
            if scope_key(scope) not in seen and stage.makes(scope):
                seen.add(scope_key(scope))
                yield scope, variant

    def _systems_in(self, stage: Stage) -> Iterator[System]:
        """The systems that a stage works for. A backbone that is trained needs, up to the fused
        interactions, also what it is trained on.
        """
        for variant, backbone in self._systems:
            yield variant, backbone
            if "backbone" not in stage.scope and find_backbone(backbone).is_trained:
                yield variant.as_trained(), backbone
                yield variant.as_held_back(), backbone

    def _result(
        self, stage: Stage, scope: dict[str, str], variant: Variant | None
    ) -> PlannedResult:
        config = self._config.with_settings(variant.settings_in(stage.name) if variant else {})
        reads = dict(self._reads_of(stage, scope, variant))
        unused = stage.unused_settings(scope)
        used = [key.format(**scope) for key in stage.settings if key not in unused]
        options = config.settings(*used, "seed")
        without = [key.format(**scope) for key in stage.settings_without]
        rule = variant.ingredients if variant and stage.scope == ("variant",) else {}
        external = self._external_inputs(stage, config, scope)
        ingredients = Ingredients(
            stage=stage.name,
            scope=scope,
            inputs={
                result_name(table, one): self._fingerprint_of(stage, table, one)
                for table, scopes in reads.items()
                for one in scopes
            },
            external_inputs={name: one.digest for name, one in external.items()},
            settings={key: value for key, value in options.items() if key not in without} | rule,
            code_digest=stage.code_digest(scope),
        )
        present = self._present(stage, ingredients)
        finished = len(present) == len(stage.writes)
        reasons = () if finished else self._reasons(stage, ingredients, present)
        reasons = reasons or self._losses(stage, scope)
        if self._force and not reasons:
            reasons = ("asked for again",)
        return PlannedResult(scope, config, ingredients, dict(external), reads, reasons, present)

    def _external_inputs(
        self, stage: Stage, config: Config, scope: Scope
    ) -> dict[str, ExternalInput]:
        """The inputs outside the lake; one that this machine does not see counts as unchanged."""
        found = dict(self._inputs.of(stage, config))
        commit = commit_of(self._history(stage.writes[0]), TABLES[stage.writes[0]].scope_of(scope))
        known = commit.record.external_inputs if commit and commit.record else {}
        for name, one in found.items():
            if not one.digest:
                found[name] = replace(one, digest=known.get(name, ""))
        return found

    def _losses(self, stage: Stage, scope: Scope) -> tuple[str, ...]:
        """Why a result that the tables hold cannot be read; empty where it can."""
        for table in stage.writes:
            if self._are_lost(table, TABLES[table].scope_of(scope)):
                return (f"files of {table} are missing",)
        version = self._history(stage.writes[0])[0].version
        gone = stage.lost(self._histories, version, scope)
        return (gone,) if gone else ()

    def _are_lost(self, table: str, scope: Scope) -> bool:
        """Whether rows of a result were in files that are not there any more."""
        if table not in self._lost:
            self._lost[table] = self._histories.lost_files(table)
        return any(file.may_hold(scope) for file in self._lost[table])

    def _reads_of(
        self, stage: Stage, scope: dict[str, str], variant: Variant | None
    ) -> Iterator[tuple[str, tuple[dict[str, str], ...]]]:
        """The scopes of each table that a result is made from."""
        for table in stage.reads:
            contract = TABLES[table]
            if stage.scopes_read is not None:
                scopes = stage.scopes_read(table, scope)
                if scopes:
                    yield table, scopes
            elif not contract.scope:
                yield table, ({},)
            elif variant is None:
                # An evaluation reads all systems at once, so that they are paired by user.
                yield (
                    table,
                    tuple(
                        {"variant": variant.name, "backbone": backbone}
                        for variant, backbone in self._systems
                        if not variant.served
                    ),
                )
            elif contract.scope == ("branch",):
                if stage.scope == ("branch",) or table in variant.fusion.reads:
                    yield table, ({"branch": variant.branch_in(contract.stage)},)
            else:
                yield table, (contract.scope_of(scope),)

    def _fingerprint_of(self, stage: Stage, table: str, scope: dict[str, str]) -> str:
        """Of a result that is read: what the plan expects, else what the table holds."""
        expected = self._expected.get((table, scope_key(scope)))
        if expected is not None:
            return expected
        present = fingerprint_in(self._history(table), scope)
        if present is None:
            raise _not_there(stage, table, scope, bool(self._history(table)))
        if self._are_lost(table, scope):
            raise TableNotFoundError(
                f"Stage {stage.name} reads {result_name(table, scope)}, whose files are missing;"
                f" run stage {TABLES[table].stage} again, or leave out --from."
            )
        return present

    def _present(self, stage: Stage, ingredients: Ingredients) -> dict[str, Commit]:
        """The commit of each table that holds exactly this result."""
        found = {}
        for table in stage.writes:
            commit = find_result(self._history(table), table, ingredients)
            if commit is not None:
                found[table] = commit
        return found

    def _reasons(
        self, stage: Stage, ingredients: Ingredients, present: Mapping[str, Commit]
    ) -> tuple[str, ...]:
        for table in stage.writes:
            history, scope = self._history(table), TABLES[table].scope_of(ingredients.scope)
            commit = commit_of(history, scope)
            if commit is None or commit.record is None:
                if foreign_commit(history) is not None:
                    return (f"something else wrote {table}",)
                return ("its last run did not finish",) if present else ("no result yet",)
            if commit.record.scopes.get(scope_key(scope)) == ScopeResult(""):
                return (f"files of {table} were missing",)
            differences = ingredients.differences(commit.record)
            if differences:
                return tuple(differences)
            if erasures_since(history, commit, scope):
                return (f"rows of forgotten users were deleted from {table}",)
        return ("its last run did not finish",)

    def _history(self, table: str) -> list[Commit]:
        if table not in self._commits:
            self._commits[table] = self._histories.history(table)
        return self._commits[table]


def _not_there(stage: Stage, table: str, scope: Scope, exists: bool) -> TableNotFoundError:
    before = TABLES[table].stage
    if not exists:
        return TableNotFoundError(
            f"Stage {stage.name} reads the table {table}, which is not there; run stage"
            f" {before} first."
        )
    options = "".join(f" --{name}s {value}" for name, value in scope.items() if name != "branch")
    return TableNotFoundError(
        f"Stage {stage.name} reads {result_name(table, scope)}, and the table {table} holds no such"
        f" result; run stage {before} first{' with' + options if options else ''}."
    )
