"""`make benchmark BENCH=evaluate`: the evaluation kit on a million users and 100,000 items, one
JSON object a line.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.evaluate.index import NEIGHBORS, write_index
from tests.benchmarks.report import log_message, report, report_left_out
from tests.benchmarks.scale.logs import Log, write_log
from tests.benchmarks.swing.processes import measure_process

CLICKS = 10_000_000
"""Of a million users with 100,000 items."""
WARM_UP_CLICKS = 30_000
INDEXES = {"one": 1, "three": 3}
"""How many indexes are measured together, and compared where they are several."""
GOAL_GB = 8.0
MOST_BYTES = 16 * 2**30
"""Of the process tree; above it the run is ended."""
MODULE = "tests.benchmarks.evaluate.worker"


def main() -> int:
    options = parse(sys.argv[1:])
    # Whoever ends this process ends the one that is measured, and folders are removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    names = options.only.split(",")
    most = max(INDEXES[name] for name in names)
    failed = False
    with tempfile.TemporaryDirectory(prefix="evaluate-benchmark-", dir=options.folder) as folder:
        small = prepare(Path(folder) / "small", WARM_UP_CLICKS, most)
        log = prepare(Path(folder) / "log", round(CLICKS * options.scale), most)
        for name in names:
            log_message(f"{log.clicks:,} clicks, {name}:")
            paths = [str(log.folder), str(small.folder), str(INDEXES[name])]
            found = measure_process([sys.executable, "-m", MODULE, *paths], MOST_BYTES)
            if "left_out" in found:
                failed = True
                report_left_out(f"evaluate_{name}", found["left_out"])
            else:
                peak = found.pop("peak_gb")
                report(f"evaluate_{name}_memory", peak, "<=", GOAL_GB, unit="GB", **found)
    return int(failed)


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="evaluate", description=__doc__)
    parser.add_argument("--only", default="one", help=f"some of {', '.join(INDEXES)}")
    parser.add_argument("--repeat", type=int, default=1, help="is not used: each run is one")
    parser.add_argument("--scale", type=float, default=1.0, help="of users and items")
    parser.add_argument("--folder", default=None, help="for the log and Spark's files")
    return parser.parse_args(arguments)


def prepare(folder: Path, clicks: int, indexes: int) -> Log:
    """A log, and indexes of its items."""
    log = write_log(folder, clicks)
    for number in range(indexes):
        write_index(folder / f"index_{number}.parquet", log.items, NEIGHBORS, seed=number)
    return log


if __name__ == "__main__":
    sys.exit(main())
