"""A process is killed at a phase that the environment names, and at no other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from llm_i2i_spark.base.phases import KILL_AT, PHASE_LOG, reached

WORK = """
from llm_i2i_spark.base.phases import reached
for step in range(3):
    reached("training step", 1, f"generator {step}")
reached("rows staged")
"""


def work(tmp_path: Path, kill_at: str, program: str = WORK) -> tuple[int, list[list[str]]]:
    """How a process ended, and the phases that it reached."""
    log = tmp_path / "phases"
    environment = {**os.environ, KILL_AT: kill_at, PHASE_LOG: str(log)}
    ended = subprocess.run([sys.executable, "-c", program], env=environment, check=False)
    return ended.returncode, [line.split("\t")[1:] for line in log.read_text().splitlines()]


@pytest.mark.parametrize(
    ("kill_at", "code", "phases"),
    [
        ("", 0, 4),
        ("training step:2", -signal.SIGKILL, 2),
        ("rows staged:1:TERM", -signal.SIGTERM, 4),
        ("rows staged:1,training step:3", -signal.SIGKILL, 3),
        ("rows staged:2", 0, 4),
    ],
)
def test_the_nth_time_is_the_last(tmp_path: Path, kill_at: str, code: int, phases: int) -> None:
    ended, found = work(tmp_path, kill_at)
    assert (ended, len(found)) == (code, phases)
    assert found[1] == ["training step", "1", "generator 1"]


def test_a_child_kills_the_process_that_started_it(tmp_path: Path) -> None:
    child = f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {WORK!r}])"
    ended, found = work(tmp_path, "training step:1:KILL:parent", child)
    assert ended == -signal.SIGKILL
    assert found[0][0] == "training step"


def test_a_phase_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KILL_AT, "lunch:1")
    with pytest.raises(ValueError, match="lunch:1 names no phase; they are stage begins"):
        reached("rows staged")
