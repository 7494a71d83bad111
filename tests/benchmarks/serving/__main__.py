"""`make benchmark BENCH=serving`: measure lookup and publish, one JSON object a line."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from llm_i2i_spark.serving.array_cache import load_arrays
from llm_i2i_spark.serving.index_reader import find_index
from llm_i2i_spark.serving.lookup import Lookup
from llm_i2i_spark.serving.publish import publish
from tests.benchmarks.report import log_message, measure_each, report, report_plain
from tests.benchmarks.serving.index import ITEMS, LENGTH, write_lake
from tests.serving.servers import redis_server

GROUPS = ("lookup", "publish")
PUBLISHED_ITEMS = 100_000


def main() -> int:
    options = parse(sys.argv[1:])
    groups = {"lookup": lookup, "publish": publishing}
    with tempfile.TemporaryDirectory(prefix="serving-benchmark-") as folder:
        return measure_each(
            options.only.split(",") if options.only else GROUPS,
            lambda name: groups[name](options, Path(folder)),
        )


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="serving", description=__doc__)
    parser.add_argument("--only", default="", help=f"groups, comma-separated, of {GROUPS}")
    parser.add_argument("--repeat", type=int, default=5, help="fresh processes behind a median")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of items")
    return parser.parse_args(arguments)


def lookup(options: argparse.Namespace, folder: Path) -> None:
    """Report first_open, open and merge_p99."""
    items = round(ITEMS * options.scale)
    lake = write_lake(folder / "lake", items)
    log_message("  the lake is written")
    start = time.perf_counter()
    Lookup.open(lake)
    sizes = {"items": items, "neighbors": LENGTH}
    arrays = sum(path.stat().st_size for path in (lake / "_serving").glob("*/*"))
    report_plain("first_open", time.perf_counter() - start, arrays_bytes=arrays, **sizes)
    runs = []
    for turn in range(options.repeat):
        runs.append(_probe(lake, items))
        log_message(f"  {turn + 1}/{options.repeat} {runs[-1]}")
    middle: dict[str, Any] = {name: median(run[name] for run in runs) for name in runs[0]}
    middle |= sizes | {"repeat": options.repeat}
    report("open", middle["open_seconds"], "<=", 1.0, **middle)
    report("merge_p99", middle["p99_ms"], "<=", 5.0, **middle)


def _probe(lake: Path, items: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.serving.probe", str(lake), str(items)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def publishing(options: argparse.Namespace, folder: Path) -> None:
    """Report redis_rate and file rates, in neighbours a second."""
    items = round(PUBLISHED_ITEMS * options.scale)
    lake = write_lake(folder / "published", items)
    load_arrays(find_index(lake))
    targets = {"parquet_rate": folder / "index.parquet", "json_rate": folder / "index.jsonl"}
    for name, path in targets.items():
        _report_rate(name, lake, path, items)
    redis_folder = folder / "redis"
    redis_folder.mkdir()
    with redis_server(redis_folder) as port:
        _report_rate("redis_rate", lake, f"redis://127.0.0.1:{port}/0", items)


def _report_rate(name: str, lake: Path, target: str | Path, items: int) -> None:
    start, core = time.perf_counter(), time.process_time()
    rows = publish(lake, target).rows
    seconds = time.perf_counter() - start
    report_plain(
        name,
        rows / seconds,
        items=items,
        items_a_second=items / seconds,
        seconds=seconds,
        core_seconds=time.process_time() - core,
    )


if __name__ == "__main__":
    sys.exit(main())
