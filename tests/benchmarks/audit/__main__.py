"""`make benchmark BENCH=audit`: diff and verify on ten million rows, one JSON object a line."""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from deltalake import write_deltalake

from llm_i2i_spark.project import Project
from tests.benchmarks.swing.report import log_message, report

ITEMS, NEIGHBORS = 100_000, 100
REPLACED = 5
"""Neighbours at the end of each list that the second version has others for."""
NAMES = ("diff", "verify")
GOAL_SECONDS = 60.0


def main() -> int:
    options = parse(sys.argv[1:])
    items = round(ITEMS * options.scale)
    with tempfile.TemporaryDirectory(prefix="audit-benchmark-", dir=options.folder) as folder:
        write_lake(Path(folder), items)
        project = Project(folder)
        work: dict[str, Callable[[], object]] = {
            "diff": lambda: project.diff(0, 1),
            "verify": project.verify,
        }
        for name in options.only.split(","):
            log_message(f"{name}: {items * NEIGHBORS:,} neighbours")
            started = time.monotonic()
            work[name]()
            seconds = time.monotonic() - started
            most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            rows = items * NEIGHBORS
            report(f"audit_{name}", seconds, "<=", GOAL_SECONDS, unit="s", rows=rows, peak_gb=most)
    return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="audit", description=__doc__)
    parser.add_argument("--only", default=",".join(NAMES), help=f"some of {', '.join(NAMES)}")
    parser.add_argument("--repeat", type=int, default=1, help="is not used: each run is one")
    parser.add_argument("--scale", type=float, default=1.0, help="of the items")
    parser.add_argument("--folder", default=None, help="for the lake")
    return parser.parse_args(arguments)


def write_lake(root: Path, items: int) -> None:
    """Two versions of an index, whose lists all differ, and a table of similarities."""
    ids = pa.array([f"B{item:09d}" for item in range(items)])
    shifts = np.arange(1, NEIGHBORS + 1)
    lists = (np.arange(items)[:, None] + 7 * shifts[None, :]) % items
    others = lists.copy()
    others[:, -REPLACED:] = (others[:, -REPLACED:] + 3) % items
    for version in (lists, others):
        write_deltalake(root / "item_index", index_rows(ids, version), mode="overwrite")
    write_deltalake(root / "item_similarity", similarity_rows(ids, lists))


def index_rows(ids: pa.Array, lists: np.ndarray) -> pa.Table:
    """Rows of `item_index`."""
    items = len(ids)
    ranks = np.tile(np.arange(1, NEIGHBORS + 1), items)
    entries = pa.StructArray.from_arrays(
        [ids.take(pa.array(lists.ravel())), 1 / ranks, ranks.astype(np.int32), 0.0 * ranks],
        ["item_id", "score", "rank", "synthetic_share"],
    )
    starts = np.arange(0, items * NEIGHBORS + 1, NEIGHBORS, dtype=np.int32)
    neighbors = pa.ListArray.from_arrays(starts, entries)
    return pa.table({**_system(items), "item_id": ids, "neighbors": neighbors})


def similarity_rows(ids: pa.Array, lists: np.ndarray) -> pa.Table:
    """Rows of `item_similarity`."""
    rows = lists.size
    owners = np.repeat(np.arange(len(ids)), NEIGHBORS)
    return pa.table(
        {
            **_system(rows),
            "item_id": ids.take(pa.array(owners)),
            "neighbor_id": ids.take(pa.array(lists.ravel())),
            "similarity": np.full(rows, 0.5),
            "support": np.full(rows, 2, np.int32),
            "synthetic_share": np.zeros(rows),
        }
    )


def _system(rows: int) -> dict[str, pa.Array]:
    return {
        name: pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), [value]).cast(pa.string())
        for name, value in (("variant", "real"), ("backbone", "swing"))
    }


if __name__ == "__main__":
    sys.exit(main())
