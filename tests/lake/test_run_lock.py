"""One run at a time in a local lake: who waits is told for whom, and a killed run holds nothing."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llm_i2i_spark.lake.run_lock import (
    LOCK_FILE,
    lake_lock,
    remove_locked_work,
    unfinished_work_lock,
)

HOLDER = """
import sys
from pathlib import Path
from llm_i2i_spark.lake.run_lock import lake_lock
with lake_lock(Path(sys.argv[1]), "llm-i2i run"):
    print("locked", flush=True)
    sys.stdin.read()
"""


def holder(root: Path) -> subprocess.Popen[str]:
    """Another process that has locked a lake, until its input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    return process


def test_the_second_names_the_first_and_waits_for_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, entered = holder(tmp_path), threading.Event()

    def second() -> None:
        with lake_lock(tmp_path, "llm-i2i ingest"):
            entered.set()

    with caplog.at_level(logging.INFO, "llm_i2i_spark"):
        waiting = threading.Thread(target=second)
        waiting.start()
        while not caplog.messages:
            waiting.join(0.05)
        assert not entered.is_set()
        assert (
            f"at work in this lake is `llm-i2i run` (process {first.pid} of " in caplog.messages[0]
        )
        assert "waiting for it (Ctrl-C leaves)" in caplog.messages[0]
        first.communicate()
        waiting.join(30)
    assert entered.is_set()
    assert json.loads((tmp_path / LOCK_FILE).read_text())["command"] == "llm-i2i ingest"


def test_a_killed_run_holds_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = holder(tmp_path)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    with lake_lock(tmp_path, "llm-i2i run"):
        assert caplog.messages == []


def test_whoever_waits_can_be_interrupted(tmp_path: Path) -> None:
    first = holder(tmp_path)
    second = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert second.stderr is not None
    assert "at work in this lake is `llm-i2i run`" in second.stderr.readline()
    second.send_signal(signal.SIGINT)
    out, _ = second.communicate(timeout=30)
    assert out == ""
    first.communicate()


def test_a_run_inside_a_run_does_not_wait_and_remote_lakes_have_no_lock(tmp_path: Path) -> None:
    with lake_lock(tmp_path / "lake", "serve-index"), lake_lock(tmp_path / "lake", "run"):
        assert json.loads((tmp_path / "lake" / LOCK_FILE).read_text())["pid"] == os.getpid()
    with lake_lock(None, "run"):
        pass
    with lake_lock(tmp_path / "lake", "run"):
        assert json.loads((tmp_path / "lake" / LOCK_FILE).read_text())["command"] == "run"


def test_a_folder_that_cannot_be_written_to_is_not_locked(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with lake_lock(tmp_path / "file" / "lake", "run"):
        pass


def test_who_waits_for_a_training_does_not_take_the_lock_of_a_folder_that_is_gone(
    tmp_path: Path,
) -> None:
    folder, at_work, most = tmp_path / "fingerprint", [0], [0]

    def train() -> None:
        for _ in range(8):
            with unfinished_work_lock(folder, "fine-tuning"):
                at_work[0] += 1
                most[0] = max(most[0], at_work[0])
                (folder / "step1").mkdir()  # fails where another one's is still there
                (folder / "step1" / "weights").touch()
                time.sleep(0.001)
                remove_locked_work(folder)
                at_work[0] -= 1
                time.sleep(0.001)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(train) for _ in range(4)]:
            done.result(60)
    assert most[0] == 1
    assert not folder.exists()
