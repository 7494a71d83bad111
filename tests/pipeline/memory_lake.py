"""The commits of a lake in memory, and runs that leave commits as the runner's stages do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from itertools import groupby
from pathlib import Path
from typing import NoReturn

from llm_i2i_spark.base.contract import scope_key
from llm_i2i_spark.base.run_record import RESTORED_VERSION, Commit, LostFile, RunRecord
from llm_i2i_spark.base.stage import PinnedRun
from llm_i2i_spark.base.variants import find_variants
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.pipeline.pinned_inputs import PinnedInputs
from llm_i2i_spark.pipeline.plan import Plan, PlannedResult, PlannedStage
from llm_i2i_spark.pipeline.planner import make_plan
from llm_i2i_spark.pipeline.stages import stages_for


@dataclass
class MemoryLake:
    """Histories by table, latest first, and which files are lost."""

    histories: dict[str, list[Commit]] = field(default_factory=dict)
    lost: dict[str, list[LostFile]] = field(default_factory=dict)

    def history(self, table: str, limit: int | None = None) -> list[Commit]:
        return self.histories.get(table, [])[:limit]

    def lost_files(self, table: str, version: int | None = None) -> list[LostFile]:
        return self.lost.get(table, [])

    def version(self, table: str) -> int:
        return self.history(table)[0].version

    def commit(self, table: str, record: RunRecord | None, operation: str = "WRITE") -> None:
        """Add a version; without a record it is one of something else than this package."""
        history = self.histories.setdefault(table, [])
        version = history[0].version + 1 if history else 0
        history.insert(0, Commit(version, datetime.now(timezone.utc), operation, 1, record))


def no_session() -> NoReturn:
    """What a plan on local files must not call."""
    raise AssertionError("a session was opened")


@dataclass(frozen=True)
class Shop:
    """A lake, raw files and the settings of a run."""

    folder: Path
    settings: tuple[str, ...] = ()
    lake: MemoryLake = field(default_factory=MemoryLake)

    def given(self, *settings: str) -> Shop:
        """The same lake with further settings."""
        return replace(self, settings=(*self.settings, *settings))

    @property
    def config(self) -> Config:
        raw = [f"ingest.{name}={self.folder / name}.csv" for name in ("interactions", "items")]
        return load_config([], [f"lake.root={self.folder / 'lake'}", *raw, *self.settings])

    def plan(
        self,
        variants: Sequence[str] = ("real",),
        backbones: Sequence[str] = ("swing",),
        first: str | None = None,
        last: str | None = None,
        force: bool = False,
    ) -> Plan:
        """What a run would do."""
        chosen = find_variants(variants)
        systems = [(variant, backbone) for backbone in backbones for variant in chosen]
        stages = stages_for(self.config, systems, first, last)
        inputs = PinnedInputs(no_session)
        return make_plan(self.lake, self.config, systems, stages, inputs, force)

    def run(self, *variants: str, backbones: Sequence[str] = ("swing",)) -> None:
        """Commit what the plan asks for."""
        for planned in self.plan(variants or ("real",), backbones).stages:
            wanted = [result for result in planned.results if not result.up_to_date]
            for _, group in groupby(wanted, key=lambda result: result.config.digest()):
                self._commit(planned, list(group))

    def bring_back(self, table: str, version: int) -> None:
        """Commit what a rollback of a table to a version commits."""
        run = PinnedRun("r", "rollback", {table: version}, results={})
        record = replace(run.record(self.config, table), scopes={})
        attributes = {RESTORED_VERSION: version}
        self.lake.commit(table, replace(record, attributes=attributes), "RESTORE")

    def _commit(self, planned: PlannedStage, results: Sequence[PlannedResult]) -> None:
        stage, reads = planned.stage, {table for result in results for table in result.reads}
        run = PinnedRun(
            run_id="r",
            stage=stage.name,
            reads={table: self.lake.version(table) for table in sorted(reads)},
            scopes=tuple(result.scope for result in results),
            results={scope_key(result.scope): result.ingredients.result for result in results},
            external_inputs=dict(results[0].external_inputs),
            settings={
                key: value
                for result in results
                for key, value in result.ingredients.settings.items()
            },
        )
        for table in stage.writes:
            self.lake.commit(table, run.record(results[0].config, table))


def to_do(plan: Plan) -> dict[str, list[str]]:
    """The results that a plan makes, as text, by stage; stages that are up to date are left out."""
    return {
        planned.stage.name: [
            scope_key(result.scope) for result in planned.results if not result.up_to_date
        ]
        for planned in plan.stages
        if not planned.up_to_date
    }


def planned(plan: Plan, stage: str) -> PlannedStage:
    """The results of a stage."""
    return next(one for one in plan.stages if one.stage.name == stage)


def reasons(plan: Plan, stage: str) -> dict[str, tuple[str, ...]]:
    """Why the results of a stage are made, by scope as text."""
    return {scope_key(result.scope): result.reasons for result in planned(plan, stage).results}
