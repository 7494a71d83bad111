"""What a command on a lake takes: seconds, memory, and how many of the lake's files it opens."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.benchmarks.swing.processes import peak_memory


@dataclass(frozen=True)
class Cost:
    """Of one call.

    Attributes:
        seconds: wall clock.
        peak_gb: of the process tree, the JVM with it, at most (PSS).
        files_read: data files of the lake that were opened; None where the file system keeps no
            times of access.
        files: data files that there were, those of old versions with them.
        read_mb: that all processes of the tree read, by system calls.
    """

    seconds: float
    peak_gb: float
    files_read: int | None
    files: int
    read_mb: float


def measure(work: Callable[[], object], lake: Path) -> Cost:
    """Call a function and count what it read.

    A file's time of access is set back before the call: any process that reads the file then sets
    it to the present (with `relatime` too), whatever library it reads with.

    Args:
        work: to call.
        lake: folder of the lake.
    """
    files = list(_data_files(lake))
    for file in files:
        os.utime(file, ns=(0, file.stat().st_mtime_ns))
    before, started = _bytes_read(), time.monotonic()
    with peak_memory() as peak:
        work()
        seconds = time.monotonic() - started
        peak.sample()
    read = _bytes_read() - before
    opened = sum(file.exists() and file.stat().st_atime_ns > 0 for file in files)
    known = opened if _keeps_access_times(lake) else None
    return Cost(seconds, peak.bytes / 1e9, known, len(files), read / 1e6)


def _data_files(lake: Path) -> Iterator[Path]:
    for file in lake.rglob("*.parquet"):
        if "_delta_log" not in file.parts and not file.name.startswith("."):
            yield file


def _keeps_access_times(folder: Path) -> bool:
    probe = folder / ".access"
    probe.write_bytes(b"x")
    os.utime(probe, ns=(0, probe.stat().st_mtime_ns))
    probe.read_bytes()
    kept = probe.stat().st_atime_ns > 0
    probe.unlink()
    return kept


def _bytes_read() -> int:
    top, total = psutil.Process(), 0
    for process in [top, *top.children(recursive=True)]:
        with suppress(psutil.Error):
            total += process.io_counters().read_chars
    return total
