"""CPU seconds and memory of this process and all below it: the driver, the JVM, Spark's Python
workers.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import psutil

SAMPLE_SECONDS = 0.25
WATCH_SECONDS = 10
"""Below the minute after which PySpark ends an idle worker, and rare enough to cost nothing."""


class _CpuTimes:
    """CPU seconds of the tree of this process, with those of processes that nobody waited for:
    PySpark's daemon lets its workers end a minute after their last task, and is not told what they
    took.
    """

    def __init__(self) -> None:
        self._own: dict[tuple[int, float], float] = {}
        self._waited_for: dict[tuple[int, float], float] = {}
        self._lost = 0.0
        self._one_at_a_time = threading.Lock()
        threading.Thread(target=self._watch, daemon=True).start()

    def seconds(self) -> float:
        """So far."""
        with self._one_at_a_time:
            own, waited_for = {}, {}
            for process in _tree():
                with suppress(psutil.Error):
                    times, key = process.cpu_times(), (process.pid, process.create_time())
                    own[key] = times.user + times.system
                    waited_for[key] = times.children_user + times.children_system
            before = self._waited_for
            ended = sum(self._own[key] + before[key] for key in self._own.keys() - own.keys())
            inherited = sum(
                waited_for[key] - before[key] for key in waited_for.keys() & before.keys()
            )
            self._lost += max(0.0, ended - inherited)
            self._own, self._waited_for = own, waited_for
            return sum(own.values()) + sum(waited_for.values()) + self._lost

    def _watch(self) -> None:
        while True:
            time.sleep(WATCH_SECONDS)
            self.seconds()


@cache
def _cpu_times() -> _CpuTimes:
    return _CpuTimes()


def core_seconds() -> float:
    """CPU seconds of the tree so far; from the first call on, ended processes count as well."""
    return _cpu_times().seconds()


class Peak:
    """The most bytes that a tree held; shared pages are divided among who shares them (PSS).

    Args:
        root: number of the process that all others are below; None for this one.
        module: a word of the command line of those that count; None: all do.

    Attributes:
        samples: what was held, from the first time that anything was.
    """

    def __init__(self, root: int | None = None, module: str | None = None) -> None:
        self._root, self._module = root, module
        self.samples: list[int] = []

    @property
    def bytes(self) -> int:
        return max(self.samples, default=0)

    def sample(self) -> None:
        held = 0
        with suppress(psutil.NoSuchProcess):
            for process in _tree(self._root):
                with suppress(psutil.Error):
                    if self._module is None or self._module in process.cmdline():
                        held += process.memory_full_info().pss
        if held or self.samples:
            self.samples.append(held)


@contextmanager
def peak_memory(module: str | None = None) -> Iterator[Peak]:
    """Watch the tree's memory for the length of the block, or that of the processes of a module."""
    peak, finished = Peak(module=module), threading.Event()

    def watch() -> None:
        while not finished.wait(SAMPLE_SECONDS):
            peak.sample()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        finished.set()
        watcher.join()


def measure_process(command: Sequence[str], most_bytes: int) -> dict[str, Any]:
    """Run a fresh process and watch the memory of its tree.

    Args:
        command: prints its result as a line of JSON, the last of its output.
        most_bytes: of the tree; above it the run is ended.

    Returns:
        The result with `peak_gb`, or `left_out`, which says why there is none.
    """
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out)
        peak = Peak(process.pid)
        try:
            while process.poll() is None:
                peak.sample()
                if peak.bytes > most_bytes:
                    return {"left_out": f"it took more than {most_bytes / 2**30:g} GiB"}
                time.sleep(SAMPLE_SECONDS)
        finally:
            end_tree(process.pid)
            process.wait()
        out.seek(0)
        said = out.read().strip()
    if process.returncode != 0:
        return {"left_out": f"it ended with {process.returncode}"}
    return {"peak_gb": peak.bytes / 1e9, **json.loads(said.splitlines()[-1])}


def end_tree(root: int) -> None:
    """End a process and all below it, where they still run."""
    with suppress(psutil.NoSuchProcess):
        for process in _tree(root):
            with suppress(psutil.NoSuchProcess):
                process.kill()


def _tree(root: int | None = None) -> list[psutil.Process]:
    top = psutil.Process(root)
    return [top, *top.children(recursive=True)]
