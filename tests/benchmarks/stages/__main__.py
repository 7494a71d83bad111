"""`make benchmark BENCH=stages`: core-seconds and bytes of the stages in Spark, for a row that each
writes, one JSON object a line. Scored rows are drawn at random, so that no model runs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark import Project
from llm_i2i_spark.base.variants import BASE_BRANCH
from llm_i2i_spark.datasets.tables import write_synthetic
from tests.benchmarks.swing.processes import core_seconds
from tests.stage_runs import put_rows

PER_USER = 50
WARM_UP_USERS = 500
MEASURED = ("ingest", "export", "fuse", "i2i", "index")


def main() -> int:
    parser = argparse.ArgumentParser(prog="stages", description=__doc__)
    parser.add_argument("--only", default=",".join(MEASURED), help="stages to report")
    parser.add_argument("--repeat", type=int, default=1, help="is not used: each run is one")
    parser.add_argument("--scale", type=float, default=1.0, help="of 50,000 users and 25,000 items")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stages-benchmark-") as folder:
        run_stages(Path(folder) / "small", WARM_UP_USERS, WARM_UP_USERS, "fuse")
        users = round(50_000 * options.scale)
        for line in run_stages(Path(folder) / "large", users, users // 2):
            if line["name"] in options.only.split(","):
                print(json.dumps(line), flush=True)
    return 0


def run_stages(
    folder: Path, users: int, items: int, last_stage: str = "index"
) -> list[dict[str, Any]]:
    """Every stage but those of the models, once, on a synthetic log."""
    interactions, catalogue = write_synthetic(folder, users, items)
    settings = {"spark.master": "local[2]", "spark.memory": "3g", "i2i.max_users_per_item": 1000}
    project = Project(
        str(folder / "lake"),
        interactions=str(interactions),
        items=str(catalogue),
        settings=settings,
    )
    found: list[dict[str, Any]] = []
    last = core_seconds()

    def note(outcome: Any) -> None:
        nonlocal last
        now = core_seconds()
        found.append(
            {"name": outcome.stage, "core_seconds": round(now - last, 2)}
            | {"seconds": round(outcome.seconds, 1), "tables": sizes(folder, outcome.rows)}
        )
        print(json.dumps(found[-1]), file=sys.stderr, flush=True)
        last = now

    project.run(variants=("llm_i2i",), last="export", on_stage=note)
    put_rows(
        project.lake, project.config, "scored", random_scores(project), [{"branch": BASE_BRANCH}]
    )
    last = core_seconds()
    project.run(variants=("llm_i2i",), first="fuse", last=last_stage, on_stage=note)
    return [{**one, "value": microseconds_a_row(one)} for one in found]


def random_scores(project: Project) -> DataFrame:
    """For every user some items of the catalogue, each with a score, as rows of `scored`."""
    lake = project.lake
    users = lake.read("interactions").select("user_id").distinct()
    numbered = lake.read("item_stats").select("item_id", (F.col("popularity_rank") - 1).alias("n"))
    asked = users.crossJoin(lake.spark.range(PER_USER).withColumnRenamed("id", "number"))
    count = numbered.count()
    drawn = asked.withColumn("n", F.pmod(F.xxhash64("user_id", "number"), F.lit(count)).cast("int"))
    score = F.pmod(F.xxhash64("item_id", "user_id"), F.lit(1000)) / 10_000
    return (
        drawn.join(numbered, "n")
        .dropDuplicates(["user_id", "item_id"])
        .select(
            F.lit(BASE_BRANCH).alias("branch"),
            "user_id",
            "item_id",
            F.lit("synthetic").alias("source"),
            score.alias("p_yes"),
            score.alias("confidence"),
            F.lit(False).alias("decision"),
            F.lit("0" * 64).alias("model_digest"),
            F.lit("0" * 64).alias("prompt_digest"),
        )
    )


def sizes(folder: Path, tables: dict[str, int | None]) -> dict[str, dict[str, float]]:
    """Rows and bytes a row of the tables that a stage wrote."""
    found = {}
    for name in tables:
        files = DeltaTable(str(folder / "lake" / name)).get_add_actions(flatten=True)
        actions = pa.table(files).to_pylist()
        rows = sum(one["num_records"] for one in actions)
        held = sum(one["size_bytes"] for one in actions)
        found[name] = {"rows": rows, "bytes_a_row": round(held / max(rows, 1), 1)}
    return found


def microseconds_a_row(stage: dict[str, Any]) -> float:
    """Core-microseconds for each row of all tables that a stage wrote."""
    rows = sum(table["rows"] for table in stage["tables"].values())
    return round(1e6 * stage["core_seconds"] / max(rows, 1), 2)


if __name__ == "__main__":
    sys.exit(main())
