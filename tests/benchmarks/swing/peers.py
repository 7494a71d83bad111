"""The job against Flink ML and Alink on Beauty, each in its own Python, all net of an empty job."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.benchmarks.swing.engine import engine
from tests.benchmarks.swing.job import SHORT_WARM_UP, warm_run
from tests.benchmarks.swing.logs import Clicks, beauty, write_csv
from tests.benchmarks.swing.options import Options
from tests.benchmarks.swing.report import median, report, report_left_out, say

SCRIPTS = Path(__file__).resolve().parents[1] / "peers"
GOALS = {"flink": 30, "alink": 6}
PARALLELISM = 2


def peers(options: Options) -> None:
    """Report flink_over_job and alink_over_job, for each whose interpreter is named."""
    pythons = {peer: os.environ.get(f"LLM_I2I_{peer.upper()}_PYTHON") for peer in GOALS}
    for peer, python in pythons.items():
        if not python:
            report_left_out(
                f"{peer}_over_job", f"LLM_I2I_{peer.upper()}_PYTHON is not set; tests/benchmarks/peers/README.md has the recipe"
            )
    if not any(pythons.values()):
        return
    clicks = beauty()
    ours = _ours(options, clicks)
    csv = write_csv(clicks, options.folder / "clicks.csv")
    for peer, python in pythons.items():
        if python:
            try:
                _report_peer(peer, _theirs(peer, python, csv, options), ours, options)
            except (OSError, RuntimeError) as error:
                report_left_out(f"{peer}_over_job", f"it failed: {error}")


def _report_peer(peer: str, theirs: dict[str, Any], ours: dict[str, float], options: Options) -> None:
    """The value is the peer's job with its rows dropped in the JVM, as ours leaves them in files."""
    net = ours["job_seconds"] - ours["empty_seconds"]
    in_jvm = theirs["seconds_swing"] - theirs["seconds_empty"]
    collected = theirs["seconds_collected"] - theirs["seconds_empty"]
    numbers = {key: number for key, number in theirs.items() if key != "repeat"}
    more = {"collected_over_job": collected / net, "value_is": "rows dropped in the JVM", "log": "beauty", "repeat": options.repeat}
    report(f"{peer}_over_job", in_jvm / net, ">=", GOALS[peer], **more, **ours, **numbers)


def _ours(options: Options, clicks: Clicks) -> dict[str, float]:
    spark = engine(options.folder)
    runs = warm_run(spark, spark.write(clicks, "beauty"), options.repeat)
    empty = [spark.empty() for _ in range(SHORT_WARM_UP + options.repeat)][SHORT_WARM_UP:]
    ours = {"job_seconds": median(run.seconds for run in runs), "empty_seconds": median(empty)}
    say(f"  ours: {ours}")
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
        raise RuntimeError(f"{script.name} ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    theirs: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    say(f"  {theirs}")
    return theirs
