"""A job as a child process: what its end means to the stage that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from llm_i2i_spark.base.errors import ConfigError, StageError
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.training_job.launch import last_error, launch, log_file
from tests.stage_runs import pinned_run


def test_the_reason_of_an_end_is_the_signal_or_the_last_error_of_the_log(tmp_path):
    log = tmp_path / "log"
    log.write_text("start\nValueError: no such thing\nbye\n")
    assert last_error(log, 1) == "ValueError: no such thing"
    assert "signal 9 (out of memory?)" in last_error(log, -9)
    log.write_text("")
    assert last_error(log, 3) == "it ended with code 3"


def test_a_job_that_cannot_start_is_an_error_of_its_stage_that_names_the_log(tmp_path):
    log = tmp_path / "logs" / "combine.log"
    with pytest.raises(StageError, match=r"Stage combine failed: .*no_such_job.*combine\.log"):
        launch(Config(), pinned_run("combine"), log, module="llm_i2i_spark.no_such_job")
    assert "no_such_job" in log.read_text()


def test_a_mistake_that_the_job_reports_is_raised_as_the_same_mistake(tmp_path):
    elsewhere = Config.model_validate({"lake": {"root": "s3://bucket/lake"}})
    with pytest.raises(ConfigError, match="as a mounted folder"):
        launch(elsewhere, pinned_run("sft"), tmp_path / "sft.log", module="llm_i2i_spark.sft")


def test_the_log_is_in_the_lake_and_a_lake_behind_a_uri_is_refused():
    assert str(log_file("/lake/combiners", "combine")) == "/lake/combine.log"
    assert str(log_file("/lake/checkpoints", "sft", "base_held_back")).endswith(
        "/lake/sft-base_held_back.log"
    )
    with pytest.raises(ConfigError, match=r"is a URI: set lake\.root to a mounted folder"):
        log_file("s3://bucket/lake/combiners", "combine")


def test_a_job_that_is_no_longer_wanted_is_ended(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "slow_job.py").write_text(
        "import os, pathlib, time\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
        "time.sleep(600)\n"
    )
    cancelled = threading.Event()

    def cancel() -> None:
        while not (tmp_path / "pid").exists():
            time.sleep(0.05)
        cancelled.set()

    threading.Thread(target=cancel, daemon=True).start()
    with pytest.raises(StageError, match="Stage sft was cancelled"):
        launch(
            Config(),
            pinned_run("sft"),
            tmp_path / "sft.log",
            module="slow_job",
            cancelled=cancelled,
        )
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


LAUNCHER = """
import sys
from pathlib import Path
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.training_job.launch import launch
from tests.stage_runs import pinned_run
root = Path(sys.argv[1])
config = Config.model_validate({"lake": {"root": str(root / "lake")}})
launch(config, pinned_run("sft"), root / "sft.log", module="job_that_starts_late")
"""

JOB_THAT_STARTS_LATE = """
import os, time
from pathlib import Path
from llm_i2i_spark.training_job.command_line import JobProgram

def execute(config, run, lake, reporter):
    (root / "worked").touch()
    return 0

root, launcher = Path(__file__).parent, os.getppid()
(root / "pid").write_text(str(os.getpid()))
while os.getppid() == launcher:  # until the launcher is killed
    time.sleep(0.01)
JobProgram("sft", "fine-tuning", "checkpoints", "", execute).main()
"""


def test_a_job_whose_launcher_was_killed_before_it_ran_does_nothing(tmp_path, monkeypatch):
    (tmp_path / "job_that_starts_late.py").write_text(JOB_THAT_STARTS_LATE)
    root = str(Path(__file__).resolve().parents[2])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), root]))
    launcher = subprocess.Popen([sys.executable, "-c", LAUNCHER, str(tmp_path)])
    pid = _wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    job = psutil.Process(int(pid))
    launcher.send_signal(signal.SIGKILL)
    launcher.wait()
    _wait_for(lambda: not job.is_running() or job.status() == psutil.STATUS_ZOMBIE)
    assert not (tmp_path / "worked").exists()


def _wait_for(condition):
    deadline = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)
    return found
