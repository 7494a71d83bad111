"""Stage `evaluate`: `item_index`, `interactions`, `items`, `item_stats` in, `metrics` and a report
out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from pyspark.sql import DataFrame

from llm_i2i_spark.backbones import Blend
from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import TableNotFoundError
from llm_i2i_spark.base.run_record import commit_of
from llm_i2i_spark.base.variants import BASE_BRANCH, VARIANTS
from llm_i2i_spark.evaluate.aggregates import count_synthetic_shares
from llm_i2i_spark.evaluate.compare import Comparison
from llm_i2i_spark.evaluate.evaluate_systems import Tables, evaluate_systems
from llm_i2i_spark.evaluate.evaluation import Evaluation
from llm_i2i_spark.evaluate.report.case_studies import (
    compared_systems,
    select_case_studies,
    systems_shown,
)
from llm_i2i_spark.evaluate.report.making import (
    Combining,
    branches_of,
    calibration_reliability,
    stage_seconds,
    training_losses,
)
from llm_i2i_spark.evaluate.report.mixtures import Mixture
from llm_i2i_spark.evaluate.report.page import Report, render_report, settings_shown
from llm_i2i_spark.evaluate.report.write import report_path, write_report
from llm_i2i_spark.evaluate.settings import settings_of
from llm_i2i_spark.evaluate.summary_table import summary_metrics
from llm_i2i_spark.evaluate.systems import System
from llm_i2i_spark.lake.stage_run import StageRun
from llm_i2i_spark.lake.tables import contract_schema

MIXTURE_COLUMNS = ("least_clicks", "component", "weight")


def execute(run: StageRun) -> None:
    """Evaluate the systems of the run, write the report, then commit the metrics that name it.

    Raises:
        UserError: nothing is held out, or no user has a row in the target fold.
    """
    settings = settings_of(run.config)
    tables = Tables(*map(run.read, run.stage.reads))
    systems = [(scope["variant"], scope["backbone"]) for scope in run.inputs("item_index")]
    systems.sort(key=lambda system: system[1])  # by backbone; the variants as they were asked for
    found = evaluate_systems(tables, systems, settings, run.staged, run_id=run.run_id)
    path = report_path(run.lake.root, run.run_id)
    # The report comes first: a committed evaluation is complete, and is never run again for its
    # report alone.
    write_report(path, render_report(_report(run, tables, found)))
    schema = contract_schema(TABLES["metrics"])
    frame = run.spark.createDataFrame([dict(row) for row in found.rows], schema)
    run.write("metrics", frame, "evaluate: metrics", report=path)
    log_message(f"  report: {path}")


def _report(run: StageRun, tables: Tables, found: Evaluation) -> Report:
    shares = count_synthetic_shares(tables.index, found.systems)
    shown = systems_shown(found.systems)
    studies = select_case_studies(
        tables.index,
        tables.items,
        tables.item_stats,
        shown,
        run.config.seed,
        _similarities(run, shown),
    )
    models = _model_folders(run, found.systems)
    losses = {name: training_losses(folder) for name, folder in models.items()}
    reliability = {name: calibration_reliability(folder) for name, folder in models.items()}
    return Report(
        rows=found.rows,
        metrics=found.metrics,
        systems=found.systems,
        shares=shares.toPandas(),
        case_studies=studies,
        run_id=run.run_id,
        versions=run.versions,
        config_digest=run.config.digest(),
        settings=settings_shown(run.config),
        titles={variant.name: variant.title for variant in VARIANTS},
        seconds=stage_seconds(run.lake, found.systems),
        losses={name: curve for name, curve in losses.items() if curve},
        reliability={name: known for name, known in reliability.items() if known is not None},
        mixtures=[
            Mixture.of_rows(system, map(tuple, rows.select(*MIXTURE_COLUMNS).collect()))
            for system, rows in _learned(run, "mixtures", found.systems)
        ],
        combining={
            system: Combining.of_row(row.asDict())
            for system, rows in _learned(run, "combiners", found.systems)
            for row in rows.collect()
        },
        comparison=_comparison(found),
        notes=found.notes,
    )


def _comparison(found: Evaluation) -> Comparison | None:
    """All systems side by side, where the page has no other place that compares them."""
    pair = compared_systems(found.systems)
    if len(found.systems) < 2 or (pair and len(found.systems) == 2):
        return None
    metrics = summary_metrics(found.metrics)
    shown = systems_shown(found.systems)
    return found.compare(None if pair or not shown else shown[0], metrics=metrics)


def _learned(
    run: StageRun, table: str, systems: Sequence[System]
) -> Iterator[tuple[System, DataFrame]]:
    """What the blends among the systems have learned: the rows of a table of stage combine, as they
    are now.
    """
    for system in systems:
        scope = system._asdict()
        if system.backbone == Blend.name and run.last_commit(table, scope) is not None:
            yield system, run.lake.read(table, scope=scope)


def _similarities(run: StageRun, systems: Sequence[System]) -> dict[System, DataFrame]:
    """The similarities of the blends among the systems that their indexes were made from. They are
    no input of the evaluation, whose figures come from the indexes alone, and may be gone.
    """
    history, found = run.lake.history("item_index"), {}
    for system in systems:
        scope = system._asdict()
        commit = commit_of(history, scope, run.versions["item_index"])
        if system.backbone != Blend.name or commit is None or commit.record is None:
            continue
        version = commit.record.reads.get("item_similarity")
        with suppress(TableNotFoundError):
            found[system] = run.lake.read("item_similarity", version, scope)
    return found


def _model_folders(run: StageRun, systems: Sequence[System]) -> dict[str, str]:
    """The checkpoint of each model behind the systems, by its role (and branch, beside the first),
    generators before discriminators.
    """
    folders: dict[str, str] = {}
    for branch in branches_of(systems, "sft"):
        scope = {"branch": branch}
        if run.last_commit("checkpoints", scope) is None:  # a lake of indexes alone
            continue
        rows = run.lake.read("checkpoints", scope=scope).collect()
        for row in sorted(rows, key=lambda row: row["role"], reverse=True):
            name = row["role"] if branch == BASE_BRANCH else f"{row['role']} of {branch}"
            folders[name] = row["path"]
    return folders
