"""What ran, from the commits themselves: every commit of every table with the run record it
carries, grouped by run. Needs no Spark.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from llm_i2i_spark.base.contract import Scope, scope_of
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.run_record import Commit, Histories

PREPARATIONS = ("CREATE TABLE", "ADD COLUMNS")
"""Delta's names of the commits by which a lake prepares a table for its first rows, or one of
version 0.1 for scopes. They hold no rows, so they belong to no run.
"""


@dataclass(frozen=True)
class TableCommit:
    """One version of one table.

    Attributes:
        table: its name.
        version: of the table.
        rows: how many the commit wrote; None where it does not say.
        time: UTC, ISO 8601.
        operation: Delta's name for what was done, such as `WRITE`.
        scopes: the results that it wrote, such as `{"variant": "real", "backbone": "swing"}`; empty
            where it replaced the whole table.
    """

    table: str
    version: int
    rows: int | None
    time: str
    operation: str
    scopes: tuple[dict[str, str], ...]


@dataclass(frozen=True)
class StageSummary:
    """One execution of a stage in a run.

    Attributes:
        stage: None for a commit without a run record.
        commits: that it left.
        inputs: the version of each table it read.
        sources: digest of each input outside the lake, by name.
        config_digest: of the whole configuration; None without a run record.
        code_version: of the package; None without a run record.
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
    """All stages of one run that left a commit, in pipeline order.

    Attributes:
        run_id: None for a commit without a run record: something else than this package wrote it.
        time: of its last commit, UTC, ISO 8601.
        stages: an entry for each execution of a stage.
    """

    run_id: str | None
    time: str
    stages: tuple[StageSummary, ...]


def list_runs(lake: Histories) -> list[RunSummary]:
    """Every run that left a commit, newest first; a commit without a record is a run of its own
    without an id.

    Args:
        lake: the tables, with Spark or without; those that do not exist yet are passed over.
    """
    runs: dict[str, list[tuple[str, Commit]]] = defaultdict(list)
    found = []
    for table in TABLES:
        for commit in reversed(lake.history(table)):
            if commit.record is not None:
                runs[commit.record.run_id].append((table, commit))
            elif commit.operation not in PREPARATIONS:
                stage = _summary([(table, commit)])
                found.append(RunSummary(None, utc(commit.timestamp), (stage,)))
    for run_id, commits in runs.items():
        latest = max(utc(commit.timestamp) for _, commit in commits)
        found.append(RunSummary(run_id, latest, _by_execution(commits)))
    return sorted(found, key=lambda run: (run.time, run.run_id or ""), reverse=True)


def utc(moment: datetime) -> str:
    """A time as ISO 8601 in UTC; without a zone, as Spark hands it over, it is a local one."""
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def inputs_text(tables: Mapping[str, int], external_inputs: Mapping[str, str]) -> str:
    """What a commit was made from, tables in pipeline order: ` from interactions v2, items v2`;
    empty for nothing.

    Args:
        tables: version of each table that was read.
        external_inputs: digest of each input outside the lake, by name.
    """
    read = [f"{table} v{tables[table]}" for table in TABLES if table in tables]
    read += [f"{name} {digest[:12]}" for name, digest in sorted(external_inputs.items())]
    return " from " + ", ".join(read) if read else ""


def scopes_text(scopes: Sequence[Scope]) -> str:
    """Which results a commit wrote: ` for branch base`, ` for real, llm_i2i`, or with backbones
    ` for real, llm_i2i (swing); real (bm25)`; empty where it replaced the whole table.
    """
    branches = [scope["branch"] for scope in scopes if "branch" in scope]
    variants: dict[str | None, list[str]] = defaultdict(list)
    for scope in scopes:
        if "variant" in scope:
            variants[scope.get("backbone")].append(scope["variant"])
    parts = [f"branch {', '.join(branches)}"] if branches else []
    for backbone, names in variants.items():
        parts.append(", ".join(names) + (f" ({backbone})" if backbone else ""))
    return " for " + "; ".join(parts) if parts else ""


def runs_lines(runs: Sequence[RunSummary]) -> list[str]:
    """The runs as lines for a terminal: a heading a run, below it a line for each execution of a
    stage with the tables that it wrote.
    """
    if not runs:
        return ["No table has a commit yet; start with: llm-i2i run --config FILE"]
    lines: list[str] = []
    for run in runs:
        lines.append(_heading(run))
        if run.run_id is not None:
            lines += [_stage_line(stage) for stage in run.stages]
    return lines


def _by_execution(commits: Sequence[tuple[str, Commit]]) -> tuple[StageSummary, ...]:
    """Commits of a stage with the same results are one execution; a run may hold several, such as
    one for each branch.
    """
    groups: dict[tuple[str, ...], list[tuple[str, Commit]]] = defaultdict(list)
    for table, commit in commits:
        record = commit.record
        assert record is not None
        results = [f"{key} {result.fingerprint}" for key, result in record.scopes.items()]
        execution = (record.stage, *sorted(results))
        groups[execution].append((table, commit))
    return tuple(_summary(group) for group in groups.values())


def _summary(commits: Sequence[tuple[str, Commit]]) -> StageSummary:
    record = commits[0][1].record
    written = tuple(_table_commit(table, commit) for table, commit in commits)
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


def _table_commit(table: str, commit: Commit) -> TableCommit:
    keys = commit.record.scopes if commit.record else ()
    return TableCommit(
        table=table,
        version=commit.version,
        rows=commit.rows,
        time=utc(commit.timestamp),
        operation=commit.operation,
        scopes=tuple(scope_of(key) for key in keys if key),
    )


def _heading(run: RunSummary) -> str:
    if run.run_id is None:
        commit = run.stages[0].commits[0]
        return (
            f"(no run record)  {_short_time(run.time)}  {_commit_text(commit)} by"
            f" {commit.operation}, not by this package"
        )
    versions = sorted({stage.code_version for stage in run.stages if stage.code_version})
    digests = sorted({stage.config_digest[:12] for stage in run.stages if stage.config_digest})
    return (
        f"run {run.run_id}  {_short_time(run.time)}  code {', '.join(versions)}  settings"
        f" {', '.join(digests)}"
    )


def _stage_line(stage: StageSummary) -> str:
    model = f", model {stage.model_digest[:12]}" if stage.model_digest else ""
    wrote = ", ".join(_commit_text(commit) for commit in stage.commits)
    results = scopes_text(stage.commits[0].scopes)
    inputs = inputs_text(stage.inputs, stage.sources)
    return f"  {stage.stage or '':<13} {wrote}{results}{inputs}{model}"


def _commit_text(commit: TableCommit) -> str:
    rows = "rows unknown" if commit.rows is None else f"{commit.rows:,} rows"
    return f"{commit.table} v{commit.version} ({rows})"


def _short_time(time: str) -> str:
    return time[:19].replace("T", " ") + " UTC"
