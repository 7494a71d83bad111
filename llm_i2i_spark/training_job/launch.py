"""A training job as a child process: started, followed, and ended together with its parent."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path

from llm_i2i_spark.base import errors
from llm_i2i_spark.base.errors import ConfigError, LlmI2iError, StageError
from llm_i2i_spark.base.files import is_uri
from llm_i2i_spark.base.stage import PinnedRun
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.training_job.events import EventReader, EventView

POLL_SECONDS = 0.2
GRACE_SECONDS = 10.0
SET_PARENT_DEATH_SIGNAL = 1
RANK_VARIABLES = frozenset(
    {"RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
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
) -> None:
    """Run the job and show its progress until it ends.

    Args:
        config: written to a file for the job.
        run: versions to read and result to produce.
        log: file for all output of the job and its libraries.
        module: the job, such as `llm_i2i_spark.sft`; it understands `command_line.parse`.
        part: which of several jobs that run at the same time, in a word.
        cancelled: when it is set, the job is ended.

    Raises:
        UserError: the job failed for a reason that the user can fix; of the same kind as there.
        StageError: it failed otherwise; the message has the last error line and the log's path.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=f"llm-i2i-{run.stage}-") as folder,
        log.open("wb") as output,
    ):
        command = _command(Path(folder), config, run, module)
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(),
        )
        view = EventView(run.stage, part)
        try:
            _follow(child, EventReader(Path(folder) / "events.jsonl"), view, cancelled)
        finally:
            view.close()
            _end(child)
    if child.returncode == 0:
        return
    if cancelled is not None and cancelled.is_set():
        raise StageError(f"Stage {run.stage} was cancelled; the same command goes on from there.")
    if view.failure is not None and view.failure["error"] != StageError.__name__:
        kind: type[LlmI2iError] = getattr(errors, view.failure["error"])
        raise kind(view.failure["message"])
    reason = (
        view.failure["message"] if view.failure is not None else last_error(log, child.returncode)
    )
    raise StageError(f"Stage {run.stage} failed: {reason} All of its output is in {log}.")


def end_with_parent(parent: int) -> None:
    """Let the kernel kill this process when its parent dies, however that happens (Linux only), and
    end it now where the parent has died before it could ask for that.

    Args:
        parent: process id of the one that started this process.
    """
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # nobody waits for an exit code or an error


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


def _command(folder: Path, config: Config, run: PinnedRun, module: str) -> list[str]:
    settings, pinned = folder / "config.yaml", folder / "run.json"
    settings.write_text(
        # JSON is YAML. What this process is killed before it can remove holds no secrets.
        json.dumps(config.without_secrets().model_dump(mode="json", by_alias=True)),
        encoding="utf-8",
    )
    pinned.write_text(json.dumps(asdict(run)), encoding="utf-8")
    events = folder / "events.jsonl"
    return [
        sys.executable,
        "-m",
        module,
        "--config",
        str(settings),
        "--run",
        str(pinned),
        "--events",
        str(events),
        "--parent",
        str(os.getpid()),
    ]


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
    child: subprocess.Popen[bytes],
    reader: EventReader,
    view: EventView,
    cancelled: threading.Event | None,
) -> None:
    while cancelled is None or not cancelled.is_set():
        ended = child.poll() is not None
        for event in reader.read():
            view.show(event)
        if ended:
            return
        time.sleep(POLL_SECONDS)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
