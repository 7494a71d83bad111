"""Stage `evaluate`: item_index, interactions, items, item_stats -> metrics, and a report to read."""

from __future__ import annotations

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.run_record import Run, Stage
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.evaluate.examples import select_examples
from llm_i2i_spark.evaluate.measure import Tables, check_holdout, measure
from llm_i2i_spark.evaluate.report import (
    Report,
    render_report,
    report_path,
    settings_shown,
    write_report,
)
from llm_i2i_spark.lake.tables import Lake, contract_schema

NEEDS = ("item_index", "interactions", "items", "item_stats")


def execute(lake: Lake, config: Config, run: Run) -> None:
    """Evaluate the variants of the run, write the report, then commit the metrics that name it.

    Raises:
        UserError: nothing is held out, or no user has a row in the target fold.
    """
    check_holdout(config)
    index, interactions, items, item_stats = (
        lake.read(table, run.inputs[table]) for table in NEEDS
    )
    backbones = sorted(
        row["backbone"] for row in index.select("backbone").distinct().collect()
    ) or [config.i2i.backbone]
    series = [(variant, backbone) for backbone in backbones for variant in run.variants]
    measured = measure(
        lake, config, Tables(index, interactions, items, item_stats), series, run.run_id
    )
    report = Report(
        rows=measured.rows,
        shares=measured.shares,
        series=series,
        examples=select_examples(index, items, item_stats, series, config.seed),
        run_id=run.run_id,
        inputs=run.inputs,
        config_digest=config.digest(),
        settings=settings_shown(config),
    )
    path = report_path(lake.root, run.run_id)
    # The report comes first: a committed evaluation is complete, and is never run again for its
    # report alone.
    write_report(path, render_report(report))
    frame = lake.spark.createDataFrame(
        [dict(row) for row in measured.rows], contract_schema(TABLES["metrics"])
    )
    lake.write(frame, run.record(config, "metrics", report=path), "evaluate: metrics")
    log_message(f"  report: {path}")


STAGE = Stage(
    name="evaluate",
    needs=lambda config, variants: NEEDS,
    writes=("metrics",),
    settings=(
        "evaluate",
        "index.recent_items",
        "index.decay",
        "split.holdout",
        "ingest.long_tail_share",
    ),
    execute=execute,
)
