"""The job against Flink ML and Alink, each in its own Python, all net of an empty job."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.benchmarks.report import log_message, median, report, report_left_out
from tests.benchmarks.swing.engine import engine
from tests.benchmarks.swing.job import LONG_WARM_UP, SHORT_WARM_UP
from tests.benchmarks.swing.logs import Clicks, beauty, synthetic, write_csv
from tests.benchmarks.swing.options import Options

SCRIPTS = Path(__file__).resolve().parents[1] / "peers"
GOALS = {"flink": 30, "alink": 6}
PARALLELISM = 2
FRACTION = 10


def peers(options: Options) -> None:
    """Report flink_over_job and alink_over_job on Beauty, for each whose interpreter is named."""
    pythons = _pythons("over_job")
    if pythons:
        _compare("beauty", beauty(), pythons, SHORT_WARM_UP, options)


def peers_large(options: Options) -> None:
    """Report the same on a tenth of the synthetic log, where the peers take more than a minute,
    from one warm run of each side.
    """
    pythons = _pythons("over_job_large")
    if pythons:
        log = synthetic(options.users // FRACTION, options.items // FRACTION)
        _compare("large", log, pythons, LONG_WARM_UP, replace(options, repeat=1))


def _pythons(name: str) -> dict[str, str]:
    """The interpreters that are named; the other peers are reported as left out."""
    pythons = {}
    for peer in GOALS:
        python = os.environ.get(f"LLM_I2I_{peer.upper()}_PYTHON")
        if python:
            pythons[peer] = python
        else:
            why = (
                f"LLM_I2I_{peer.upper()}_PYTHON is not set; tests/benchmarks/peers/README.md has"
                " the recipe"
            )
            report_left_out(f"{peer}_{name}", why)
    return pythons


def _compare(
    log: str, clicks: Clicks, pythons: dict[str, str], warm_up: int, options: Options
) -> None:
    """The value is the peer's job with its rows dropped in the JVM, ours leaves them in files."""
    ours = _ours(clicks, log, warm_up, options)
    net = ours["job_seconds"] - ours["empty_seconds"]
    csv = write_csv(clicks, options.folder / f"{log}.csv")
    for peer, python in pythons.items():
        name = f"{peer}_over_job" + ("" if log == "beauty" else f"_{log}")
        try:
            theirs = _theirs(peer, python, csv, options)
        except (OSError, RuntimeError) as error:
            report_left_out(name, f"it failed: {error}")
            continue
        in_jvm, collected = (
            theirs[key] - theirs["seconds_empty"] for key in ("seconds_swing", "seconds_collected")
        )
        about = {
            "collected_over_job": collected / net,
            "log": log,
            "clicks": len(clicks),
            "repeat": options.repeat,
        }
        report(
            name,
            in_jvm / net,
            ">=",
            GOALS[peer],
            **about,
            **ours,
            **{key: theirs[key] for key in theirs if key != "repeat"},
        )


def _ours(clicks: Clicks, log: str, warm_up: int, options: Options) -> dict[str, float]:
    spark = engine(options.folder)
    table = spark.write(clicks, log)
    runs = [spark.run(table) for _ in range(warm_up + options.repeat)][warm_up:]
    empty = [spark.empty() for _ in range(SHORT_WARM_UP + options.repeat)][SHORT_WARM_UP:]
    ours = {"job_seconds": median(run.seconds for run in runs), "empty_seconds": median(empty)}
    log_message(f"  ours: {ours}")
    return ours


def _theirs(peer: str, python: str, csv: Path, options: Options) -> dict[str, Any]:
    script = SCRIPTS / f"{peer}_swing.py"
    out = options.folder / f"{peer}.jsonl"
    command = [
        python,
        str(script),
        "--clicks",
        str(csv),
        "--repeat",
        str(options.repeat),
        "--parallelism",
        str(PARALLELISM),
        "--out",
        str(out),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(
            f"{script.name} ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}"
        )
    theirs: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    log_message(f"  {theirs}")
    return theirs
