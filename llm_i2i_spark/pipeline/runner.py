"""The order of the stages, and running them: only those whose result is not there yet. The only
file that knows the order.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import StageError, UserError
from llm_i2i_spark.base.run_record import Run, Stage, fingerprint, new_run_id
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.discriminate.stage import STAGE as DISCRIMINATE
from llm_i2i_spark.evaluate.stage import STAGE as EVALUATE
from llm_i2i_spark.export.stage import STAGE as EXPORT
from llm_i2i_spark.fuse.stage import STAGE as FUSE
from llm_i2i_spark.generate.stage import STAGE as GENERATE
from llm_i2i_spark.i2i.stage import STAGE as I2I
from llm_i2i_spark.index.stage import STAGE as INDEX
from llm_i2i_spark.ingest.stage import STAGE as INGEST
from llm_i2i_spark.lake.commits import Commit
from llm_i2i_spark.lake.tables import Lake
from llm_i2i_spark.sft.stage import STAGE as SFT

STAGES: tuple[Stage, ...] = (
    INGEST,
    EXPORT,
    SFT,
    GENERATE,
    DISCRIMINATE,
    FUSE,
    I2I,
    INDEX,
    EVALUATE,
)
STAGE_NAMES = tuple(stage.name for stage in STAGES)
WITHOUT_MODELS = ("ingest", "fuse", "i2i", "index", "evaluate")


@dataclass(frozen=True)
class StageOutcome:
    """What became of one stage: its seconds, whether it was up to date, and the versions and rows
    it left.
    """

    stage: str
    seconds: float
    skipped: bool
    versions: dict[str, int]
    rows: dict[str, int | None]


def stages_for(
    config: Config, variants: Sequence[str], first: str | None = None, last: str | None = None
) -> tuple[Stage, ...]:
    """The stages that these variants need, in order, from `first` to `last` (both included).

    Raises:
        UserError: a name is no stage, or the range is empty.
    """
    for name in (first, last):
        if name is not None and name not in STAGE_NAMES:
            raise UserError(f"There is no stage {name}; the stages are {', '.join(STAGE_NAMES)}.")
    needed = [stage for stage in STAGES if set(variants) - {"real"} or stage.name in WITHOUT_MODELS]
    if config.split.holdout == "none":
        needed = [stage for stage in needed if stage is not EVALUATE]
    start = STAGE_NAMES.index(first) if first else 0
    end = STAGE_NAMES.index(last) if last else len(STAGES) - 1
    chosen = tuple(stage for stage in needed if start <= STAGE_NAMES.index(stage.name) <= end)
    if not chosen:
        raise UserError(
            f"Nothing lies between {first or STAGE_NAMES[0]} and {last or STAGE_NAMES[-1]} for"
            f" --variants {','.join(variants)}."
        )
    return chosen


def run_stages(
    lake: Lake,
    config: Config,
    variants: Sequence[str],
    stages: Sequence[Stage],
    force: bool = False,
    run_id: str | None = None,
) -> tuple[str, list[StageOutcome]]:
    """Run stages in order; one whose tables already hold exactly this result is left as it is.

    A killed command is resumed by giving it again: the stages that had committed all their tables
    are found up to date by their fingerprint, and the first that had not starts over from its
    pinned inputs.

    Args:
        lake: the tables.
        config: the settings.
        variants: what the rows are made from; `real`, `llm_i2i`, ...
        stages: in order, from `stages_for`.
        force: run even what is up to date.
        run_id: of the records; a new one without.

    Returns:
        The run id, and an outcome a stage.
    """
    chosen = tuple(variants)
    run_id = run_id or new_run_id()
    outcomes = []
    for stage in stages:
        stage.prepare(config)
    for number, stage in enumerate(stages, start=1):
        outcomes.append(
            _run_stage(
                lake, config, chosen, stage, force, run_id, f"[{number}/{len(stages)}] {stage.name}"
            )
        )
    return run_id, outcomes


def _run_stage(
    lake: Lake,
    config: Config,
    variants: tuple[str, ...],
    stage: Stage,
    force: bool,
    run_id: str,
    heading: str,
) -> StageOutcome:
    inputs = _resolve_inputs(lake, config, variants, stage)
    # Tables without a column `variant` are the same for any set of variants.
    relevant = variants if any("variant" in TABLES[table].names for table in stage.writes) else ()
    sources = stage.sources(config)
    run = Run(
        run_id,
        stage.name,
        inputs,
        relevant,
        fingerprint(stage, config, inputs, relevant, sources),
        sources,
    )
    present = _latest_commits(lake, stage)
    if not force and _is_complete(stage, present, run.fingerprint):
        log_message(f"{heading}: up to date")
        return _outcome(stage, present, 0.0, skipped=True)
    read = ", ".join(f"{table} v{version}" for table, version in inputs.items()) or ", ".join(
        sources
    )
    log_message(f"{heading}: reads {read}")
    started = time.monotonic()
    stage.execute(lake, config, run)
    written = _latest_commits(lake, stage)
    if not _is_complete(stage, written, run.fingerprint):
        raise StageError(
            f"Stage {stage.name} ended without committing {', '.join(stage.writes)}; another run"
            " may have written them meanwhile."
        )
    outcome = _outcome(stage, written, time.monotonic() - started, skipped=False)
    wrote = ", ".join(
        f"{table} v{version} ({_count(outcome.rows[table])})"
        for table, version in outcome.versions.items()
    )
    log_message(f"  wrote {wrote} in {outcome.seconds:.0f} s")
    return outcome


def _resolve_inputs(
    lake: Lake, config: Config, variants: tuple[str, ...], stage: Stage
) -> dict[str, int]:
    inputs = {}
    for table in stage.needs(config, variants):
        version = lake.version(table)
        if version is None:
            raise UserError(
                f"Stage {stage.name} reads the table {table}, which is not there; run stage"
                f" {TABLES[table].stage} first."
            )
        inputs[table] = version
    return inputs


def _latest_commits(lake: Lake, stage: Stage) -> dict[str, Commit]:
    """The latest commit of each table of a stage that exists."""
    found = {table: lake.history(table, limit=1) for table in stage.writes}
    return {table: commits[0] for table, commits in found.items() if commits}


def _is_complete(stage: Stage, commits: Mapping[str, Commit], wanted: str) -> bool:
    """Whether the latest commit of every table of the stage carries this fingerprint."""
    records = [commits[table].record if table in commits else None for table in stage.writes]
    return all(record is not None and record.fingerprint == wanted for record in records)


def _outcome(
    stage: Stage, commits: Mapping[str, Commit], seconds: float, skipped: bool
) -> StageOutcome:
    versions = {table: commit.version for table, commit in commits.items()}
    return StageOutcome(
        stage.name,
        seconds,
        skipped,
        versions,
        {table: commit.rows for table, commit in commits.items()},
    )


def _count(rows: int | None) -> str:
    return "rows unknown" if rows is None else f"{rows:,} rows"
