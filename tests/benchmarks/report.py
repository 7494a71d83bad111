"""What a benchmark says: one JSON object a line on standard output, everything else on standard
error.
"""

from __future__ import annotations

import json
import operator
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Any, Literal

import pytest

COMPARE = {"<=": operator.le, ">=": operator.ge, "==": operator.eq}


class LeftOut(Exception):
    """Something that the benchmark needs is not on this machine; the message says what."""


def measure_each(names: Iterable[str], measure: Callable[[str], object]) -> int:
    """Measure some benchmarks; one that is left out or fails ends none of the others.

    Args:
        names: of the benchmarks.
        measure: measures the one of a name, and prints its results.

    Returns:
        The exit code: 1 where one failed.
    """
    failed = False
    for name in names:
        log_message(f"{name}:")
        try:
            measure(name)
        except (LeftOut, pytest.skip.Exception) as why:
            report_left_out(name, str(why))
        except Exception as error:
            failed = True
            traceback.print_exc()
            words = "".join(str(error).splitlines()[:1])
            report_left_out(name, f"it failed: {type(error).__name__}: {words}")
    return int(failed)


def report(
    name: str, value: float, sign: Literal["<=", ">=", "=="], goal: float, **raw: Any
) -> None:
    """Print a result.

    Args:
        name: of the benchmark.
        value: the measured number.
        sign: how it must stand to the goal.
        goal: from the table of goals.
        raw: what the value was made from; `also` (a bool) is a further condition of `ok`.
    """
    also = raw.pop("also", True)
    holds = bool(COMPARE[sign](value, goal)) and bool(also)
    numbers = {key: _short(number) for key, number in raw.items()}
    print(
        json.dumps(
            {
                "name": name,
                "value": _short(value),
                "goal": f"{sign} {goal:g}",
                "ok": holds,
                **numbers,
            }
        ),
        flush=True,
    )


def report_plain(name: str, value: float, **raw: Any) -> None:
    """Print a number that has no goal."""
    print(
        json.dumps(
            {
                "name": name,
                "value": _short(value),
                **{key: _short(number) for key, number in raw.items()},
            }
        ),
        flush=True,
    )


def report_left_out(name: str, why: str) -> None:
    """Print that a benchmark was not run."""
    print(json.dumps({"name": name, "left_out": why}), flush=True)


def log_message(words: str) -> None:
    """Print a line of progress."""
    print(words, file=sys.stderr, flush=True)


def interleaved(repeat: int, jobs: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Run all jobs in turn, `repeat` times, so that what else the machine does falls on all of them
    alike.

    Args:
        repeat: rounds.
        jobs: by name; each returns what it measured.
    """
    found: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(repeat):
        for name, job in jobs.items():
            found[name].append(job())
        log_message(
            "  "
            + f"{turn + 1}/{repeat} "
            + ", ".join(f"{name} {numbers[-1]:.4g}" for name, numbers in found.items())
        )
    return found


def median(numbers: Iterable[float]) -> float:
    """Of the runs of a job."""
    return float(statistics.median(numbers))


def process_seconds(job: Callable[[], object]) -> float:
    """CPU seconds of this process, all its threads, for one call."""
    start = time.process_time()
    job()
    return time.process_time() - start


def _short(number: Any) -> Any:
    return float(f"{number:.4g}") if isinstance(number, float) else number
