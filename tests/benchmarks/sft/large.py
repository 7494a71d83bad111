"""Fine-tuning on a log of a million users: what the job holds in memory while it reads, encodes and
trains for a fixed number of steps.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from llm_i2i_spark import Project
from llm_i2i_spark.datasets.tables import write_synthetic
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from tests.benchmarks.report import log_message, report
from tests.benchmarks.swing.processes import peak_memory

USERS, ITEMS, STEPS = 1_000_000, 50_000, 200
GOAL_GB = 8.0
JOB = "llm_i2i_spark.sft"
CURVE_POINTS = 30
SPARK = {"spark.master": "local[2]", "spark.memory": "4g"}


def measure_memory(keep: str | None, scale: float) -> None:
    """Print the gigabytes of the job, and how they grew.

    Args:
        keep: folder of a lake that stays, and is used again; None for one that is removed.
        scale: of the users and items.
    """
    with tempfile.TemporaryDirectory(prefix="sft-benchmark-") as temporary:
        folder = Path(keep or temporary)
        project = _exported(folder, round(USERS * scale), max(200, round(ITEMS * scale)))
        log_message(f"fine-tuning for {STEPS} steps a model:")
        started = time.monotonic()
        with peak_memory(JOB) as peak:
            project.run(first="sft", last="sft", force=True)
        curve = [held / 1e9 for held in peak.samples]
        lake = DeltaRsLake(project.config.lake)
        rows = {name: _rows(lake, name) for name in ("sft_generator", "sft_discriminator")}
        report(
            "large_memory_gb",
            max(curve),
            "<=",
            GOAL_GB,
            steps=STEPS,
            seconds=time.monotonic() - started,
            rows=rows,
            curve_gb=[round(one, 2) for one in _thinned(curve)],
        )


def _exported(folder: Path, users: int, items: int) -> Project:
    """A project whose examples are there."""
    raw = folder / "raw"
    files = raw / "interactions.parquet", raw / "items.parquet"
    if not all(file.is_file() for file in files):
        write_synthetic(raw, users, items)
    settings = {**SPARK, "sft.max_steps": STEPS}
    project = Project(
        str(folder / "lake"), interactions=files[0], items=files[1], settings=settings
    )
    project.run(last="export")
    return project


def _rows(lake: DeltaRsLake, table: str) -> int:
    return sum(len(batch) for batch in lake.batches(table, None, ["user_id"]))


def _thinned(samples: list[float]) -> list[float]:
    """The largest of each thirtieth."""
    width = -(-len(samples) // CURVE_POINTS)
    return [max(samples[start : start + width]) for start in range(0, len(samples), width)]
