"""What a stage of the pipeline is, and one execution of it pinned to versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib import import_module
from typing import TYPE_CHECKING, Any

from llm_i2i_spark import __version__
from llm_i2i_spark.base.contract import Scope, scope_key
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.environment import environment
from llm_i2i_spark.base.external_input import ExternalInput
from llm_i2i_spark.base.fingerprint import code_digest, imported_modules
from llm_i2i_spark.base.run_record import Histories, RunRecord, ScopeResult, now

if TYPE_CHECKING:
    from llm_i2i_spark.config.config import Config

OpenSession = Callable[[], Any]
"""Gives the Spark session, and starts one where there is none."""


@dataclass(frozen=True)
class Stage:
    """A step of the pipeline.

    Attributes:
        name: also its folder, its command, and the `stage` of its tables.
        reads: tables that it may read; reading another one is an error.
        settings: sections or dotted keys of the options that its result depends on; `{backbone}`
            stands for the backbone of a result, here as in the next three.
        settings_without: keys of these sections that cannot change its result.
        unused_settings: of these sections and keys, those that cannot change the result of a scope.
        code: modules or folders of the package that its result depends on.
        code_with_imports: modules that count together with what they import from their own folder
            and from `kernels`.
        makes: whether there is a result for a scope.
        scopes_read: which results of a table a result is made from: none, or by `Table.scope_of`
            where it is not given. Its arguments are the table and the scope of the result.
        external_inputs: the present state of inputs outside the lake, by name; its arguments are
            the settings and what opens a Spark session, for inputs that only Spark sees.
        lost: what is gone of a result that lies outside the tables, in words, None where nothing
            is; its arguments are the lake, a version of the first table that the stage writes, and
            the scope.
        prepare: starts what takes long and needs no table, before the first stage of a command;
            its arguments are the settings and the results to produce.
        at_once: how many of its executions may run at the same time; more than one where processes
            of their own do the work. Its argument is the settings.
    """

    name: str
    reads: tuple[str, ...]
    settings: tuple[str, ...]
    code: tuple[str, ...]
    code_with_imports: tuple[str, ...] = ()
    settings_without: tuple[str, ...] = ()
    unused_settings: Callable[[Scope], tuple[str, ...]] = lambda scope: ()
    makes: Callable[[Scope], bool] = lambda scope: True
    scopes_read: Callable[[str, Scope], tuple[dict[str, str], ...]] | None = None
    external_inputs: Callable[[Config, OpenSession], Mapping[str, ExternalInput]] = (
        lambda config, session: {}
    )
    lost: Callable[[Histories, int, Scope], str | None] = lambda lake, version, scope: None
    prepare: Callable[[Config, Sequence[Scope]], None] = lambda config, scopes: None
    at_once: Callable[[Config], int] = lambda config: 1

    @property
    def writes(self) -> tuple[str, ...]:
        """The tables that it writes."""
        return tuple(table.name for table in TABLES.values() if table.stage == self.name)

    @property
    def scope(self) -> tuple[str, ...]:
        """The columns by which its results stand side by side."""
        return TABLES[self.writes[0]].scope

    def code_digest(self, scope: Scope) -> str:
        """Digest of the code that the result of a scope depends on."""
        code = [part.format(**scope) for part in self.code]
        for part in self.code_with_imports:
            code += imported_modules(part.format(**scope), within="kernels")
        return code_digest(*code)

    def execute(self, run: Any) -> None:
        """Do the work, by the function `execute` of the module of that name in the stage's folder.

        It is imported here, so that a plan is made without Spark.

        Args:
            run: a `lake.stage_run.StageRun`.
        """
        import_module(f"llm_i2i_spark.{self.name}.execute").execute(run)


@dataclass(frozen=True)
class PinnedRun:
    """One execution of a stage: what it reads and what it must produce. Plain data, so that it can
    travel to another process.

    Attributes:
        run_id: shared by all stages that one command executes.
        stage: its name.
        reads: version of each table it reads, resolved once, before it starts.
        read_scopes: which of the results in each of these tables are read.
        scopes: the results to produce; one empty dictionary for a stage without scopes.
        results: fingerprint and inputs of each, by `contract.scope_key`.
        external_inputs: the pinned state of each input outside the lake, by name.
        settings: options that the results depend on, by dotted key.
        started: when it was pinned: UTC, ISO 8601.
    """

    run_id: str
    stage: str
    reads: dict[str, int]
    read_scopes: dict[str, tuple[dict[str, str], ...]] = field(default_factory=dict)
    scopes: tuple[dict[str, str], ...] = ({},)
    results: dict[str, ScopeResult] = field(default_factory=dict)
    external_inputs: dict[str, ExternalInput] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    started: str = field(default_factory=now)

    @property
    def fingerprint(self) -> str:
        """That of the first result; the only one of a stage that produces one at a time."""
        return self.results[scope_key(self.scopes[0])].fingerprint if self.results else ""

    def record(self, config: Config, table: str, **attributes: Any) -> RunRecord:
        """The record to commit with a table of this run."""
        scopes = {scope_key(scope): ScopeResult("") for scope in self.scopes}
        return RunRecord(
            run_id=self.run_id,
            stage=self.stage,
            table=table,
            reads=dict(self.reads),
            external_inputs={name: one.digest for name, one in self.external_inputs.items()},
            scopes={**scopes, **self.results},
            settings=dict(self.settings),
            config_digest=config.digest(),
            code_version=__version__,
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            started=self.started,
            attributes=attributes,
            environment=dict(environment()),
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PinnedRun:
        """The run that `dataclasses.asdict` wrote.

        Raises:
            TypeError, KeyError: the dictionary is not one of a run.
        """
        results = {key: ScopeResult(**result) for key, result in values["results"].items()}
        scopes = tuple(dict(scope) for scope in values["scopes"])
        reads = {table: tuple(one) for table, one in values["read_scopes"].items()}
        external = {name: ExternalInput(**one) for name, one in values["external_inputs"].items()}
        built = {"read_scopes": reads, "scopes": scopes, "results": results}
        return cls(**{**values, **built, "external_inputs": external})
