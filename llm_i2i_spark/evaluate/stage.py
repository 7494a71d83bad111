"""Stage `evaluate`: item_index, interactions, items, item_stats -> metrics, and a report to read."""

from __future__ import annotations

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.stage import Stage
from llm_i2i_spark.evaluate.examples import select_examples
from llm_i2i_spark.evaluate.measure import Tables, check_holdout, measure
from llm_i2i_spark.evaluate.report import (
    Report,
    render_report,
    report_path,
    settings_shown,
    write_report,
)
from llm_i2i_spark.lake.stage_run import StageRun
from llm_i2i_spark.lake.tables import contract_schema

READS = ("item_index", "interactions", "items", "item_stats")


def execute(run: StageRun) -> None:
    """Evaluate the systems of the run, write the report, then commit the metrics that name it.

    Raises:
        UserError: nothing is held out, or no user has a row in the target fold.
    """
    config, lake = run.config, run.lake
    check_holdout(config)
    index, interactions, items, item_stats = map(run.read, READS)
    systems = [(scope["variant"], scope["backbone"]) for scope in run.inputs("item_index")]
    systems.sort(key=lambda system: system[1])  # by backbone; the variants as they were asked for
    tables = Tables(index, interactions, items, item_stats)
    measured = measure(lake, config, tables, systems, run.run_id)
    report = Report(
        rows=measured.rows,
        shares=measured.shares,
        series=systems,
        examples=select_examples(index, items, item_stats, systems, config.seed),
        run_id=run.run_id,
        inputs=run.versions,
        config_digest=config.digest(),
        settings=settings_shown(config),
    )
    path = report_path(lake.root, run.run_id)
    # The report comes first: a committed evaluation is complete, and is never run again for its
    # report alone.
    write_report(path, render_report(report))
    schema = contract_schema(TABLES["metrics"])
    frame = run.spark.createDataFrame([dict(row) for row in measured.rows], schema)
    run.write("metrics", frame, "evaluate: metrics", report=path)
    log_message(f"  report: {path}")


STAGE = Stage(
    name="evaluate",
    reads=READS,
    settings=(
        "evaluate",
        "index.recent_items",
        "index.decay",
        "split.protocol",
        "split.holdout",
        "ingest.long_tail_share",
    ),
    code=("evaluate", "metrics", "kernels/ranking"),
    execute=execute,
)
