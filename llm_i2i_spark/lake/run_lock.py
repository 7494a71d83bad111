"""One run at a time in a local lake, one job at a time on an unfinished training: locks that the
operating system holds for a process, and takes back when the process ends, however it ends.

A lake on an object store has no such lock. There each run reads the versions that hold its own
results, whatever another run has written since.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path

from llm_i2i_spark.base.console import log_message

LOCK_FILE = "_lock"
POLL_SECONDS = 0.2
TOLD_EVERY_SECONDS = 60.0

_held = threading.local()
"""The lakes that this thread has locked: a run that begins inside another one does not wait."""


@contextmanager
def lake_lock(root: Path | None, command: str) -> Iterator[None]:
    """Let no other process, and no other thread, write a lake for the length of the block.

    Where another one is at work, it is named, and waited for; Ctrl-C ends the waiting.

    Args:
        root: of the lake; None where it is not local, and nothing is locked.
        command: what the others are told.
    """
    locked: set[Path] = _held.__dict__.setdefault("roots", set())
    if root is None or root in locked:
        yield
        return
    descriptor = _open(root)
    if descriptor is None:
        yield
        return
    try:
        _acquire(descriptor, "in this lake")
        _write_owner(descriptor, command)
        locked.add(root)
        yield
    finally:
        locked.discard(root)
        os.close(descriptor)  # and with it goes the lock


@contextmanager
def unfinished_work_lock(folder: Path, command: str) -> Iterator[None]:
    """Let no other process go on with the unfinished work in a folder for the length of the block.

    A job holds it beside the lock of its lake, which is that of the run that started the job: a job
    that outlives its run is known by this one. Who has done the work empties the folder inside the
    block (`remove_locked_work`), whose end removes the lock and the folder; the next one in line
    finds it gone, and looks whether anything is left to do.

    Args:
        folder: named by the fingerprint of the result; made where it is missing.
        command: what the others are told.
    """
    descriptor = _lock_in(folder)
    if descriptor is None:
        yield
        return
    try:
        _write_owner(descriptor, command)
        yield
    finally:
        with suppress(OSError):
            if _is_current(descriptor, folder):
                (folder / LOCK_FILE).unlink()
                folder.rmdir()  # where nothing is left, and nobody else has come
        os.close(descriptor)


def remove_locked_work(folder: Path) -> None:
    """Remove what is in a folder whose lock this process holds, except for the lock: without it the
    next one in line would be at work there while the rest is being removed.
    """
    for path in folder.glob("*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != LOCK_FILE:
            path.unlink(missing_ok=True)


def _lock_in(folder: Path) -> int | None:
    """The locked file in a folder, and not one that its last holder has removed meanwhile."""
    while True:
        descriptor = _open(folder)
        if descriptor is None:
            return None
        try:
            _acquire(descriptor, f"on the training in {folder}")
            if _is_current(descriptor, folder):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_current(descriptor: int, folder: Path) -> bool:
    """Whether an open lock file is the one that others find in its folder."""
    try:
        return os.path.samestat(os.fstat(descriptor), (folder / LOCK_FILE).stat())
    except FileNotFoundError:
        return False


def _open(root: Path) -> int | None:
    """The lock file, made where it is missing; None where the folder cannot be written to: then no
    run can write there either, and its first table says so.
    """
    path = root / LOCK_FILE
    try:
        while True:
            root.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # its last holder has removed the folder just now
                return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:
        with suppress(OSError):
            return os.open(path, os.O_RDONLY)  # another user's
    return None


def _acquire(descriptor: int, where: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    except BlockingIOError:
        pass
    except OSError as error:
        log_message(f"this file system has no locks ({error.strerror}): run one command at a time")
        return
    log_message(f"at work {where} is {_owner(descriptor)}; waiting for it (Ctrl-C leaves)")
    started = told = time.monotonic()
    while True:
        time.sleep(POLL_SECONDS)
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        if time.monotonic() - told >= TOLD_EVERY_SECONDS:
            told = time.monotonic()
            log_message(f"  waiting for {told - started:,.0f} s; at work is {_owner(descriptor)}")


def _write_owner(descriptor: int, command: str) -> None:
    """Say in the lock file who has it. The command has no values of options: some are secret."""
    owner = {
        "command": command,
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "user": _user(),
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(owner).encode(), 0)


def _owner(descriptor: int) -> str:
    """Who has the lock, in words."""
    try:
        owner = json.loads(os.pread(descriptor, 4096, 0))
        return (
            f"`{owner['command']}` (process {owner['pid']} of {owner['user']} on {owner['host']},"
            f" since {owner['started']})"
        )
    except (OSError, ValueError, KeyError, TypeError):
        return "another run"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())
