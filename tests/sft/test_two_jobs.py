"""Two fine-tuning jobs of one result, as processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from deltalake import DeltaTable

pytestmark = pytest.mark.lm


def test_of_two_jobs_on_one_result_one_works_and_the_other_says_who_does(tiny, tmp_path):
    root = tiny.write_lake(tmp_path)
    config = tiny.write_config(root, {"epochs": 2})
    # As a run starts it: without the lock of the lake, which is the run's.
    of_a_run = ["--events", str(tmp_path / "events.jsonl"), "--parent", str(os.getpid())]
    first = start(tiny, config, *of_a_run)
    unfinished = root / "checkpoints_files" / "_partial"
    while not any(path.stat().st_size for path in unfinished.glob("*/_lock")):
        assert first.poll() is None, first.stderr.read()
    first.send_signal(signal.SIGSTOP)
    second = start(tiny, config)
    line = second.stderr.readline()
    first.send_signal(signal.SIGCONT)
    assert f"at work on the training in {unfinished}" in line
    assert f"is `fine-tuning` (process {first.pid} of " in line
    assert "already holds the result of this run" in second.communicate(timeout=200)[1]
    assert (first.wait(60), second.returncode) == (0, 0)
    assert DeltaTable(str(root / "checkpoints")).version() == 0
    assert list(unfinished.iterdir()) == []


def start(tiny, config, *more):
    return subprocess.Popen(
        [sys.executable, "-m", "llm_i2i_spark.sft", "--config", str(config), *more],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=tiny.environment(),
    )
