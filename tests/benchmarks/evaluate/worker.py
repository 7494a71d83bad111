"""In the process that is measured: indexes evaluated on one log, in a session of two cores."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.evaluate.evaluate_index import evaluate_index
from llm_i2i_spark.lake.session import log_file, open_session
from llm_i2i_spark.metrics import MRR, NDCG, Coverage, FillRate, Gini, Novelty, Recall
from tests.benchmarks.swing.processes import core_seconds

CORES, HEAP = 2, "3g"
METRICS = (Recall(10), NDCG(10), MRR(), Coverage(10), Gini(10), Novelty(10), FillRate())


def main(folder: Path, small: Path, indexes: int) -> dict[str, Any]:
    """Evaluate on a small log, then on the one to measure; what the second took."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    root = folder.parent / "lake"
    settings = [f"lake.root={root}", f"spark.master=local[{CORES}]", f"spark.memory={HEAP}"]
    config = load_config([], settings)
    spark = open_session(config.spark, log_file(config.lake))
    evaluate(spark, small, indexes)
    used, started = core_seconds(), time.perf_counter()
    values = evaluate(spark, folder, indexes)
    return {
        "seconds": time.perf_counter() - started,
        "core_seconds": core_seconds() - used,
        **values,
    }


def evaluate(spark: SparkSession, folder: Path, indexes: int) -> dict[str, Any]:
    """The figures of the first index, and the adjusted p-values of the others."""
    frames = {
        f"index_{number}": spark.read.parquet(str(folder / f"index_{number}.parquet"))
        for number in range(indexes)
    }
    log = spark.read.parquet(str(folder / "clicks.parquet"))
    found = evaluate_index(frames, log, metrics=METRICS)
    values = {metric.label: found["index_0", metric.label] for metric in METRICS}
    compared = found.compare("index_0").figures["all"]["recall@10"]
    p_values = [figure.get("adjusted_p_value") for figure in compared.values()]
    return {"users": found.users, **values, "adjusted_p_values": p_values[1:]}


if __name__ == "__main__":
    result = main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
    print(json.dumps(result), flush=True)
