"""Files and folders that are being written, and temporary ones: each is locked by the operating
system for as long as its process lives, so that what a killed one has left is told from what others
are at work on, and is removed.

On a file system without such locks nothing is removed.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

UNFINISHED = ".*.writing"
"""Spark and pyarrow pass over names that begin with a dot, so nobody reads an unfinished file."""
TEMPORARY = "llm-i2i-*.running"
"""Temporary folders of this package's processes."""


def unfinished_name(name: str) -> str:
    """A hidden name for what will get a name when it is complete."""
    return f".{name}.{secrets.token_hex(4)}.writing"


@contextmanager
def unfinished_file(target: Path) -> Iterator[Path]:
    """An empty file with a hidden name beside a target, for the length of the block; what killed
    processes have left of the same target is removed.
    """
    with _own_beside(target, lambda path: path.touch(exist_ok=False)) as path:
        yield path


@contextmanager
def unfinished_folder(target: Path) -> Iterator[Path]:
    """An empty folder with a hidden name beside a target; as `unfinished_file`."""
    with _own_beside(target, lambda path: path.mkdir(parents=True)) as path:
        yield path


@contextmanager
def temporary_folder(purpose: str) -> Iterator[Path]:
    """A folder of the system's temporary folder that is removed after the block, or by another
    process where this one is killed before.

    Args:
        purpose: a word for its name.
    """
    with owned(
        lambda: Path(tempfile.mkdtemp(prefix=f"llm-i2i-{purpose}-", suffix=".running"))
    ) as path:
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def owned(make: Callable[[], Path]) -> Iterator[Path]:
    """A new file or folder that is this process's for the length of the block.

    Args:
        make: makes it; called again where another process has removed it before it was locked.
    """
    while True:
        path = make()
        with suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY)
            with suppress(OSError):  # no locks here
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if path.exists():
                break
            os.close(descriptor)
    try:
        yield path
    finally:
        os.close(descriptor)  # and with it goes the lock


def remove_abandoned(folder: Path, pattern: str) -> None:
    """Remove what no process is at work on.

    Args:
        folder: to look in.
        pattern: of names of files and folders that their writers own.
    """
    for path in folder.glob(pattern):
        with suppress(OSError):  # another user's, or others have removed it
            descriptor = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
            finally:
                os.close(descriptor)


@contextmanager
def _own_beside(target: Path, make: Callable[[Path], None]) -> Iterator[Path]:
    remove_abandoned(target.parent, f".{escape(target.name)}.*.writing")

    def made() -> Path:
        path = target.with_name(unfinished_name(target.name))
        make(path)
        return path

    with owned(made) as path:
        yield path
