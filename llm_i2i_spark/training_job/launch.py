"""A training job as a child process: started, followed, and ended together with its parent."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from llm_i2i_spark.base import errors
from llm_i2i_spark.base.errors import ConfigError, LlmI2iError, StageError
from llm_i2i_spark.base.files import is_uri
from llm_i2i_spark.base.phases import reached
from llm_i2i_spark.base.stage import PinnedRun
from llm_i2i_spark.base.unfinished import temporary_folder
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.training_job.events import EventReader, EventView

POLL_SECONDS = 0.2
GRACE_SECONDS = 10.0
SET_PARENT_DEATH_SIGNAL = 1
RANK_VARIABLES = frozenset(
    {"RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
)


class StartedJob(Protocol):
    """A job that was started."""

    def poll(self) -> int | None:
        """Its exit code; None while it works."""

    def end(self) -> int:
        """End it where it still works, and wait until it is gone; its exit code."""


class Launcher(Protocol):
    """Where a job runs."""

    def folder(self, stage: str) -> AbstractContextManager[Path]:
        """A folder for its settings and its events, which it sees under the same path."""

    def start(self, module: str, arguments: Sequence[str], log: Path) -> StartedJob:
        """Start `python -m MODULE ARGUMENTS`, all of whose output goes to the log."""


class _Process:
    """A job that is a child of this process."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child

    def poll(self) -> int | None:
        return self._child.poll()

    def end(self) -> int:
        if self._child.poll() is None:
            self._child.terminate()
        try:
            return self._child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            return self._child.wait()


class _ThisMachine:
    """Starts a job beside this process, to end together with it."""

    def folder(self, stage: str) -> AbstractContextManager[Path]:
        return temporary_folder(stage)

    def start(self, module: str, arguments: Sequence[str], log: Path) -> StartedJob:
        command = [sys.executable, "-m", module, *arguments, "--parent", str(os.getpid())]
        with log.open("wb") as output:
            return _Process(
                subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=_environment(),
                )
            )


def log_file(folder: str, stage: str, part: str = "") -> Path:
    """The log of a stage's job, in the lake.

    Args:
        folder: of a table.
        stage: whose job.
        part: which of several jobs of the stage.

    Raises:
        ConfigError: the lake is not a local folder.
    """
    if is_uri(folder):
        raise ConfigError(
            f"Stage {stage} trains a model and writes files, and {folder} is a URI: set lake.root"
            " to a mounted folder (on Databricks below /Volumes)."
        )
    return Path(folder).parent / f"{'-'.join(filter(None, (stage, part)))}.log"


def launch(
    config: Config,
    run: PinnedRun,
    log: Path,
    module: str,
    part: str = "",
    cancelled: threading.Event | None = None,
    launcher: Launcher | None = None,
) -> None:
    """Run the job and show its progress until it ends.

    Args:
        config: written to a file for the job.
        run: versions to read and result to produce.
        log: file for all output of the job and its libraries.
        module: the job, such as `llm_i2i_spark.sft`; it understands `command_line.parse`.
        part: which of several jobs that run at the same time, in a word.
        cancelled: when it is set, the job is ended.
        launcher: where it runs; None for a process of its own on this machine.

    Raises:
        UserError: the job failed for a reason that the user can fix; of the same kind as there.
        StageError: it failed otherwise; the message has the last error line and the log's path.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    launcher = launcher or _ThisMachine()
    with launcher.folder(run.stage) as folder:
        job = launcher.start(module, _arguments(folder, config, run), log)
        reached("job started")
        view = EventView(run.stage, part)
        try:
            _follow(job, EventReader(folder / "events.jsonl"), view, cancelled)
        finally:
            view.close()
            code = job.end()
    if code == 0:
        return
    if cancelled is not None and cancelled.is_set():
        raise StageError(f"Stage {run.stage} was cancelled; the same command goes on from there.")
    if view.failure is not None and view.failure["error"] != StageError.__name__:
        kind: type[LlmI2iError] = getattr(errors, view.failure["error"])
        raise kind(view.failure["message"])
    reason = view.failure["message"] if view.failure is not None else last_error(log, code)
    raise StageError(f"Stage {run.stage} failed: {reason} All of its output is in {log}.")


def end_with_parent(parent: int | None = None) -> None:
    """Let the kernel kill this process when its parent dies, however that happens; Linux only.

    Args:
        parent: its process id, where it is known: it may have died before the kernel was asked.
    """
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def last_error(log: Path, returncode: int) -> str:
    """Why a process ended: the signal, else the last line of its log that looks like an error, else
    its last line.
    """
    lines = [
        line.strip()
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
        if line.strip()
    ]
    errors = [line for line in lines if "Error" in line or "error:" in line]
    if returncode < 0:
        return f"it was ended by signal {-returncode}" + (
            " (out of memory?)." if returncode == -signal.SIGKILL else "."
        )
    return (errors or lines or [f"it ended with code {returncode}"])[-1][:500]


def _arguments(folder: Path, config: Config, run: PinnedRun) -> list[str]:
    settings, pinned = folder / "config.yaml", folder / "run.json"
    settings.write_text(
        # JSON is YAML. What this process is killed before it can remove holds no secrets.
        json.dumps(config.without_secrets().model_dump(mode="json", by_alias=True)),
        encoding="utf-8",
    )
    pinned.write_text(json.dumps(asdict(run)), encoding="utf-8")
    events = folder / "events.jsonl"
    return ["--config", str(settings), "--run", str(pinned), "--events", str(events)]


def _environment() -> dict[str, str]:
    """The environment of this process, without variables of a group of ranks that it may be in."""
    # On a CPU, sums over several threads differ in their last bit from run to run, and a resumed
    # job must end with the same weights. One thread costs a small model next to nothing; for a
    # large one, OMP_NUM_THREADS sets more.
    return {
        "OMP_NUM_THREADS": "1",
        **{name: value for name, value in os.environ.items() if name not in RANK_VARIABLES},
    }


def _follow(
    job: StartedJob, reader: EventReader, view: EventView, cancelled: threading.Event | None
) -> None:
    """Show what a job reports until it has ended or is no longer wanted."""
    while cancelled is None or not cancelled.is_set():
        ended = job.poll() is not None
        for event in reader.read():
            view.show(event)
        if ended:
            return
        time.sleep(POLL_SECONDS)
