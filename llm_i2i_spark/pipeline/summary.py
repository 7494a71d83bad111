"""What a run leaves to read at its end: `summary.json` under the lake's root, and the same as a few
lines.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from pyspark.sql import functions as F

from llm_i2i_spark import __version__
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.evaluate.accuracy import MetricRow
from llm_i2i_spark.evaluate.headline import headline
from llm_i2i_spark.lake.tables import Lake
from llm_i2i_spark.pipeline.runner import StageOutcome

FILE = "summary.json"


def summarize(
    lake: Lake,
    config: Config,
    variants: Sequence[str],
    run_id: str,
    outcomes: Sequence[StageOutcome],
) -> dict[str, Any]:
    """Run id, seconds a stage, table versions and rows, and the headline metrics of each variant
    with intervals.

    Metrics are those of the evaluation that holds for the tables as they stand, also where this
    command found it up to date.
    """
    summary: dict[str, Any] = {
        "run_id": run_id,
        "code_version": __version__,
        "config_digest": config.digest(),
        "variants": list(variants),
        "seconds": round(sum(outcome.seconds for outcome in outcomes), 1),
        "stages": [
            {"stage": o.stage, "seconds": round(o.seconds, 1), "up_to_date": o.skipped}
            for o in outcomes
        ],
        "tables": {
            table: {"version": version, "rows": outcome.rows[table]}
            for outcome in outcomes
            for table, version in outcome.versions.items()
        },
    }
    if any(outcome.stage == "evaluate" for outcome in outcomes):
        summary.update(_evaluation(lake))
    return summary


def write_summary(lake: Lake, summary: dict[str, Any]) -> str | None:
    """Write `summary.json` under the lake's root and return its path; None where the root is not a
    local folder.
    """
    if lake.root is None or "://" in lake.root:
        return None
    path = Path(lake.root) / FILE
    whole = path.with_suffix(".json.part")
    whole.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    whole.replace(path)
    return str(path)


def _evaluation(lake: Lake) -> dict[str, Any]:
    record = lake.history("metrics", limit=1)[0].record
    if record is None:
        return {}
    rows = lake.read("metrics").where(F.col("run_id") == record.run_id).collect()
    found = [cast(MetricRow, row.asDict()) for row in rows]
    return {"metrics": headline(found), "report": record.details.get("report")}
