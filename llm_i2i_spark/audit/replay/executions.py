"""What a run executed, by the records of its commits, and whether it can be executed again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llm_i2i_spark.base.contract import result_name, scope_of, split_result_name
from llm_i2i_spark.base.contracts import MODEL_TABLES, TABLES
from llm_i2i_spark.base.errors import ConfigError, UserError
from llm_i2i_spark.base.external_input import ExternalInput
from llm_i2i_spark.base.run_record import Commit, Histories, RunRecord, fingerprint_in
from llm_i2i_spark.base.stage import OpenSession, PinnedRun, Stage
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import known_keys, load_config

RULE = "fusion."
"""Keys of a record's settings with this prefix are of the variant, not of the configuration."""


@dataclass(frozen=True)
class Execution:
    """One execution of a stage in a run.

    Attributes:
        stage: which.
        commits: that it left, by table.
    """

    stage: Stage
    commits: dict[str, Commit]

    @property
    def record(self) -> RunRecord:
        """That of its first table; the records of its tables differ in the table alone."""
        record = next(iter(self.commits.values())).record
        assert record is not None
        return record

    @property
    def scopes(self) -> tuple[dict[str, str], ...]:
        """The results that it made."""
        return tuple(scope_of(key) for key in self.record.scopes)


def executions_of(
    lake: Histories, stages: Mapping[str, Stage], run_id: str, only: Sequence[str] | None = None
) -> list[Execution]:
    """The executions of a run, in pipeline order.

    Args:
        lake: the tables.
        stages: of the pipeline, by name.
        run_id: of the run.
        only: stages to look at; None for all.

    Raises:
        ConfigError: no table has a commit of this run, or of these stages of it.
    """
    groups: dict[tuple[str, ...], dict[str, Commit]] = defaultdict(dict)
    for table in TABLES:
        for commit in lake.history(table):
            record = commit.record
            if record is None or record.run_id != run_id or record.stage not in stages:
                continue
            results = [f"{key} {one.fingerprint}" for key, one in record.scopes.items()]
            execution = (record.stage, *sorted(results))
            groups[execution].setdefault(table, commit)
    order = list(stages)
    found = [Execution(stages[key[0]], commits) for key, commits in groups.items()]
    found = [one for one in found if only is None or one.stage.name in only]
    if not found:
        which = f" of stage {', '.join(only)}" if only else ""
        raise ConfigError(
            f"No table has a commit{which} of a run {run_id}; `llm-i2i audit runs` lists the runs."
        )
    return sorted(found, key=lambda one: order.index(one.stage.name))


def is_training(stage: Stage) -> bool:
    """Whether a stage trains a model: that takes long, and only on the same kind of machine it ends
    the same to the bit.
    """
    return any(table in MODEL_TABLES for table in stage.writes)


class CannotReplayError(UserError):
    """Why an execution cannot be done again."""


def recorded_config(record: RunRecord, config: Config) -> Config:
    """The configuration with the options that a result depends on as they were then.

    Args:
        record: of the result.
        config: the options that it does not name.

    Raises:
        CannotReplayError: it names none, or one that this version of the package does not know.
    """
    settings = {key: one for key, one in record.settings.items() if not key.startswith(RULE)}
    if not settings:
        raise CannotReplayError(f"version {record.code_version} did not record its options")
    unknown = sorted(settings.keys() - set(known_keys()))
    if unknown:
        raise CannotReplayError(f"this version has no option {', '.join(unknown)}")
    return load_config(base=config, overrides=settings)


def pin(
    lake: Histories,
    execution: Execution,
    config: Config,
    open_session: OpenSession,
    other_code: bool = False,
) -> PinnedRun:
    """The execution as it was pinned then.

    Args:
        lake: the tables.
        execution: in question.
        config: from `recorded_config`.
        open_session: for sources that only Spark sees.
        other_code: whether the code may be another one.

    Raises:
        CannotReplayError: the code, a version or a source is no longer what it was.
    """
    record, stage = execution.record, execution.stage
    if not other_code:
        _require_code(execution)
    reads: dict[str, tuple[dict[str, str], ...]] = {}
    for result in record.scopes.values():
        for name, fingerprint in result.inputs.items():
            table, scope = split_result_name(name)
            _require_input(lake, record, table, scope, fingerprint)
            known = reads.get(table, ())
            reads[table] = known if scope in known else (*known, scope)
    for table, commit in execution.commits.items():
        if lake.lost_files(table, commit.version):
            raise CannotReplayError(f"what it wrote, {table} v{commit.version}, is gone")
    return PinnedRun(
        run_id=record.run_id,
        stage=stage.name,
        reads={table: record.reads[table] for table in reads},
        read_scopes=reads,
        scopes=execution.scopes,
        results=dict(record.scopes),
        external_inputs=_sources(stage, record, config, open_session),
        settings=dict(record.settings),
    )


def _require_code(execution: Execution) -> None:
    record, stage = execution.record, execution.stage
    for key, result in record.scopes.items():
        if not result.code_digest:
            raise CannotReplayError(f"version {record.code_version} did not record its code")
        if result.code_digest != stage.code_digest(scope_of(key)):
            raise CannotReplayError(
                f"the code of {stage.name} is another one than that of the run (version"
                f" {record.code_version}, digest {result.code_digest[:12]}); install that version,"
                " or add --other-code"
            )


def _require_input(
    lake: Histories, record: RunRecord, table: str, scope: dict[str, str], fingerprint: str
) -> None:
    version, history = record.reads[table], lake.history(table)
    name = f"{result_name(table, scope)} v{version}, which it read,"
    if not history or fingerprint_in(history, scope, version) != fingerprint:
        raise CannotReplayError(f"{name} is no longer in the history of the table")
    if lake.lost_files(table, version):
        raise CannotReplayError(f"{name} can no longer be read: its files are gone")


def _sources(
    stage: Stage, record: RunRecord, config: Config, open_session: OpenSession
) -> dict[str, ExternalInput]:
    found = dict(stage.external_inputs(config, open_session))
    for name, digest in record.external_inputs.items():
        if name in found and found[name].digest != digest:
            raise CannotReplayError(
                f"the source of {name} has changed since (digest {digest[:12]} →"
                f" {found[name].digest[:12]})"
            )
    return found
