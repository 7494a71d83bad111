"""What a run leaves to read at its end: `summary.json` under the lake's root."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llm_i2i_spark import __version__
from llm_i2i_spark.base.files import write_atomically
from llm_i2i_spark.base.run_record import RunRecord
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.evaluate.metric_rows import MetricRow
from llm_i2i_spark.evaluate.summary_table import summary_table
from llm_i2i_spark.pipeline.runner import StageOutcome

FILE = "summary.json"


def summarize(
    config: Config,
    variants: Sequence[str],
    backbones: Sequence[str],
    run_id: str,
    outcomes: Sequence[StageOutcome],
    metrics: Sequence[MetricRow],
) -> dict[str, Any]:
    """Run id, seconds a stage and what it took of the models' devices, table versions and rows, and
    the headline metrics of each system with intervals.

    Args:
        config: the settings.
        variants: of the run.
        backbones: of the run.
        run_id: of the run.
        outcomes: an outcome a stage.
        metrics: rows of the evaluation that holds for this run, whether this command made it or
            found it up to date; empty without one.
    """
    summary: dict[str, Any] = {
        "run_id": run_id,
        "code_version": __version__,
        "config_digest": config.digest(),
        "variants": list(variants),
        "backbones": list(backbones),
        "seconds": round(sum(outcome.seconds for outcome in outcomes), 1),
        "stages": [
            {"stage": one.stage, "seconds": round(one.seconds, 1), "up_to_date": one.skipped}
            | (one.bill.values() if one.bill else {})
            for one in outcomes
        ],
        "tables": {
            table: {"version": commit.version, "rows": commit.rows}
            for outcome in outcomes
            for table, commit in outcome.commits.items()
        },
    }
    record = evaluation_record(outcomes)
    if metrics and record is not None:
        summary["metrics"] = summary_table(metrics)
        summary["report"] = record.attributes.get("report")
    return summary


def evaluation_record(outcomes: Sequence[StageOutcome]) -> RunRecord | None:
    """The run record of the evaluation among some outcomes; None without one."""
    for outcome in outcomes:
        if "metrics" in outcome.commits:
            return outcome.commits["metrics"].record
    return None


def write_summary(root: Path, summary: dict[str, Any]) -> Path:
    """Write `summary.json` under a local root; its path."""
    path = root / FILE
    write_atomically(path, json.dumps(summary, indent=2) + "\n")
    return path
