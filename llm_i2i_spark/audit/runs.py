"""What ran, from the commits themselves: every commit of every table with the run record it
carries, grouped by run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.run_record import Commit
from llm_i2i_spark.lake.tables import Lake

CREATION = "CREATE TABLE"
"""Delta's name for the commit that makes an empty table; it holds no rows, so no run is behind it.
"""


@dataclass(frozen=True)
class TableCommit:
    """One version of one table.

    Attributes:
        rows: how many the commit wrote; None where it does not say.
        time: UTC, ISO 8601.
        operation: Delta's word for what was done, such as `WRITE`.
    """

    table: str
    version: int
    rows: int | None
    time: str
    operation: str


@dataclass(frozen=True)
class StageSummary:
    """What one stage did in a run.

    Attributes:
        stage: None for a commit without a run record.
        inputs: the version of each table it read.
        sources: digests of what it read outside the lake.
        model_digest: of the model that wrote the rows; None where none did.
    """

    stage: str | None
    commits: tuple[TableCommit, ...]
    inputs: dict[str, int]
    sources: dict[str, str]
    config_digest: str | None
    code_version: str | None
    model_digest: str | None


@dataclass(frozen=True)
class RunSummary:
    """All stages of one run that left a commit, in the order of the way through.

    Attributes:
        run_id: None for a commit without a run record: something else than this package wrote it.
        time: of its last commit, UTC, ISO 8601.
    """

    run_id: str | None
    time: str
    stages: tuple[StageSummary, ...]


def list_runs(lake: Lake) -> list[RunSummary]:
    """Every run that left a commit, newest first; a commit without a record is a run of its own
    without an id.

    Args:
        lake: the tables; those that do not exist yet are passed over.
    """
    runs: dict[str, list[tuple[str, Commit]]] = defaultdict(list)
    found = []
    for table in TABLES:
        for commit in lake.history(table):
            if commit.record is not None:
                runs[commit.record.run_id].append((table, commit))
            elif commit.operation != CREATION:
                found.append(
                    RunSummary(None, utc(commit.timestamp), (_summary([(table, commit)]),))
                )
    for run_id, commits in runs.items():
        latest = max(utc(commit.timestamp) for _, commit in commits)
        found.append(RunSummary(run_id, latest, _by_stage(commits)))
    return sorted(found, key=lambda run: (run.time, run.run_id or ""), reverse=True)


def utc(moment: datetime) -> str:
    """A time that Spark handed over (naive, in this process's zone) as ISO 8601 in UTC."""
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_text(inputs: Mapping[str, int], sources: Mapping[str, str]) -> str:
    """What a commit was made from, tables in the order of the way through: ` from interactions v2,
    items v2`; empty for nothing.
    """
    read = [f"{table} v{inputs[table]}" for table in TABLES if table in inputs]
    read += [f"{name} {digest[:12]}" for name, digest in sorted(sources.items())]
    return " from " + ", ".join(read) if read else ""


def runs_lines(runs: Sequence[RunSummary]) -> list[str]:
    """The runs as lines for a terminal: a heading a run, below it a line a table that it wrote."""
    if not runs:
        return ["No table has a commit yet; start with: llm-i2i run --config FILE"]
    lines: list[str] = []
    for run in runs:
        if run.run_id is None:
            commit = run.stages[0].commits[0]
            lines.append(
                f"(no run record)  {_short_time(run.time)}  {_said(commit)} by {commit.operation},"
                " not by this package"
            )
            continue
        versions = sorted({stage.code_version for stage in run.stages if stage.code_version})
        digests = sorted({stage.config_digest[:12] for stage in run.stages if stage.config_digest})
        lines.append(
            f"run {run.run_id}  {_short_time(run.time)}  code {', '.join(versions)}  settings"
            f" {', '.join(digests)}"
        )
        for stage in run.stages:
            lines += _stage_lines(stage)
    return lines


def _by_stage(commits: Sequence[tuple[str, Commit]]) -> tuple[StageSummary, ...]:
    """Commits with equal inputs and fingerprint are one execution of a stage; a run may hold
    several (with force).
    """
    groups: dict[tuple[str, str], list[tuple[str, Commit]]] = defaultdict(list)
    for table, commit in commits:
        assert commit.record is not None
        groups[commit.record.stage, str(sorted(commit.record.scopes))].append((table, commit))
    return tuple(_summary(group) for group in groups.values())


def _summary(commits: Sequence[tuple[str, Commit]]) -> StageSummary:
    record = commits[0][1].record
    written = tuple(
        TableCommit(table, commit.version, commit.rows, utc(commit.timestamp), commit.operation)
        for table, commit in sorted(
            commits, key=lambda pair: (list(TABLES).index(pair[0]), pair[1].version)
        )
    )
    if record is None:
        return StageSummary(None, written, {}, {}, None, None, None)
    model = record.attributes.get("model_digest")
    return StageSummary(
        stage=record.stage,
        commits=written,
        inputs=dict(record.reads),
        sources=dict(record.external_inputs),
        config_digest=record.config_digest,
        code_version=record.code_version,
        model_digest=model if isinstance(model, str) else None,
    )


def _stage_lines(stage: StageSummary) -> list[str]:
    model = f", model {stage.model_digest[:12]}" if stage.model_digest else ""
    wrote = ", ".join(_said(commit) for commit in stage.commits)
    return [f"  {stage.stage or '':<13} {wrote}{read_text(stage.inputs, stage.sources)}{model}"]


def _said(commit: TableCommit) -> str:
    rows = "rows unknown" if commit.rows is None else f"{commit.rows:,} rows"
    return f"{commit.table} v{commit.version} ({rows})"


def _short_time(time: str) -> str:
    return time[:19].replace("T", " ") + " UTC"
