"""`make benchmark BENCH=scale`: backbones on logs of 1, 3 and 10 million clicks, one JSON object a
line.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.report import log_message, report, report_left_out, report_plain
from tests.benchmarks.scale.logs import Log, write_log
from tests.benchmarks.scale.worker import TABLES
from tests.benchmarks.swing.processes import measure_process

CLICKS = (1_000_000, 3_000_000, 10_000_000)
WARM_UP_CLICKS = 30_000
MOST_BYTES = 8 * 2**30
"""Of the process tree; above it the run is ended."""
MODULE = "tests.benchmarks.scale.worker"


def main() -> int:
    options = parse(sys.argv[1:])
    # Whoever ends this process ends the one that is measured, and folders are removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    failed = False
    with tempfile.TemporaryDirectory(prefix="scale-benchmark-", dir=options.folder) as folder:
        small = write_log(Path(folder) / "small", WARM_UP_CLICKS)
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in options.only.split(",")}
        for clicks in options.clicks:
            log = write_log(Path(folder) / str(clicks), round(clicks * options.scale))
            log_message(f"{log.clicks:,} clicks:")
            for name in runs:
                found = measure(log, small, name, json.loads(options.settings))
                if "left_out" in found:
                    failed = True
                    report_left_out(f"{name}_{clicks // 10**6}m", found["left_out"])
                else:
                    runs[name].append(found)
                    report_run(f"{name}_{clicks // 10**6}m", found)
        for name, found_runs in runs.items():
            if len(found_runs) > 1:
                report_growth(name, found_runs)
    return int(failed)


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="scale", description=__doc__)
    parser.add_argument("--only", default=",".join(TABLES), help=f"some of {', '.join(TABLES)}")
    parser.add_argument("--repeat", type=int, default=1, help="is not used: each run is one")
    parser.add_argument("--scale", type=float, default=1.0, help="of all logs")
    parser.add_argument(
        "--clicks", type=lambda text: [int(n) for n in text.split(",")], default=CLICKS
    )
    parser.add_argument("--settings", default="{}", help="parameters of the backbones, as JSON")
    parser.add_argument("--folder", default=None, help="for logs and results")
    return parser.parse_args(arguments)


def measure(log: Log, small: Log, name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """One run in a fresh process; `left_out` says why there is no result."""
    command = [sys.executable, "-m", MODULE, str(log.folder), str(small.folder), name]
    found = measure_process([*command, json.dumps(settings)], MOST_BYTES)
    return {"clicks": log.clicks, **found}


def report_run(name: str, run: dict[str, Any]) -> None:
    """Report core-seconds a click."""
    report_plain(name, run["core_seconds"] / run["clicks"], unit="core-seconds a click", **run)


def report_growth(name: str, runs: list[dict[str, Any]]) -> None:
    """Report the exponent of the clicks by which core-seconds grow, over that of n log n."""
    clicks = np.array([run["clicks"] for run in runs], np.float64)
    core_seconds = np.array([run["core_seconds"] for run in runs])
    exponent = np.polyfit(np.log(clicks), np.log(core_seconds), 1)[0]
    of_n_log_n = np.polyfit(np.log(clicks), np.log(clicks * np.log(clicks)), 1)[0]
    report(
        f"{name}_growth", float(exponent), "<=", float(of_n_log_n), unit="exponent of the clicks"
    )


if __name__ == "__main__":
    sys.exit(main())
