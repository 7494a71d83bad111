"""Named places in the work at which a process can be killed, to try that nothing is lost there.

What Delta Lake's tests do with the phases of a commit (`PhaseLockingTransactionExecutionObserver`):
faults at places with names are the same in every run, and reach what sleeps hit by luck. Nothing
happens without these environment variables, which children inherit:

`LLM_I2I_KILL_AT=PHASE:N`              the process that reaches the phase for the Nth time kills
                                       itself (SIGKILL); every process counts for itself
`LLM_I2I_KILL_AT=PHASE:N:TERM`         with another signal
`LLM_I2I_KILL_AT=PHASE:N:KILL:parent`  not itself, but the process that started it
`LLM_I2I_KILL_AT=...,...`              whichever comes first
`LLM_I2I_PHASE_LOG=FILE`               every process appends a line a phase, of fields between tabs:
                                       its id, the phase, how much work begins or ends there (rows,
                                       steps), which
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from typing import Literal, get_args

KILL_AT, PHASE_LOG = "LLM_I2I_KILL_AT", "LLM_I2I_PHASE_LOG"

Phase = Literal[
    "stage begins",  # nothing is read
    "versions resolved",  # of what the stage reads
    "rows staged",
    "table write begins",  # by Spark: the table is there, at its version before
    "table written",  # by Spark: committed, and nobody has looked
    "stage committed",  # all of its tables
    "job started",  # a training job, by the stage that waits for it
    "data file written",  # without a JVM: no commit names it
    "rows committed",  # without a JVM: the log has no checksums yet
    "batch begins",  # of a language model: rows to infer
    "batch inferred",  # nothing of it is on the disk
    "batch kept",
    "training step",
    "checkpoint file",  # one of the files of a checkpoint is written
    "file complete",  # under its hidden name
    "file in place",
    "folder complete",  # of a checkpoint or of arrays, under its hidden name
    "folder in place",
    "export written",  # it has no manifest
    "export manifest written",  # the export is not in place
]
PHASES: tuple[Phase, ...] = get_args(Phase)

_counts: Counter[str] = Counter()
_counting = threading.Lock()


def reached(phase: Phase, work: int = 0, of: str = "") -> None:
    """Say that this process has come to a phase.

    Args:
        phase: which.
        work: how much begins or ends here, for the log.
        of: which piece of work that is, for the log: the same when it is done again.

    Raises:
        ValueError: `LLM_I2I_KILL_AT` cannot be read.
    """
    log, kill_at = os.environ.get(PHASE_LOG), os.environ.get(KILL_AT)
    if log:
        _append(log, f"{os.getpid()}\t{phase}\t{work}\t{of}\n")
    if kill_at:
        with _counting:
            _counts[phase] += 1
            count = _counts[phase]
        for one in kill_at.split(","):
            _kill(phase, count, one)


def _append(path: str, line: str) -> None:
    """In one write, so that the lines of several processes do not mix."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def _kill(phase: Phase, count: int, kill_at: str) -> None:
    name, number, *more = kill_at.split(":")
    how, whom = (*more, *("KILL", "self")[len(more) :])
    if name not in PHASES:
        raise ValueError(f"{KILL_AT}={kill_at} names no phase; they are {', '.join(PHASES)}")
    if (phase, count) == (name, int(number)):
        process = os.getppid() if whom == "parent" else os.getpid()
        os.kill(process, signal.Signals[f"SIG{how}"])
