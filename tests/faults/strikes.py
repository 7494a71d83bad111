"""Functions of Spark's Python workers that meet a fault from inside, at a moment that is known."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil


@dataclass(frozen=True)
class Striking:
    """A worker's function with a fault in it, once, after its first batch of results.

    Attributes:
        function: of one batch to one batch of columns, or of an iterator of batches to another.
        fault: a key of `FAULTS`.
        folder: where it is noted that it struck, and how many rows were computed.
    """

    function: Callable[..., Any]
    fault: str
    folder: Path

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        results = self.function(*arguments, **options)
        if isinstance(results, Iterator):
            return self._batches(results)
        with (self.folder / "rows").open("a") as rows:  # one write: atomic between processes
            rows.write(f"{_rows(results)}\n")
        self._strike()
        return results

    def _batches(self, results: Iterator[Any]) -> Iterator[Any]:
        for result in results:
            yield result
            self._strike()

    def _strike(self) -> None:
        try:
            (self.folder / "struck").touch(exist_ok=False)
        except FileExistsError:
            return
        FAULTS[self.fault]()

    def struck(self) -> bool:
        """Whether the fault was met."""
        return (self.folder / "struck").exists()

    def rows(self) -> int:
        """Rows that were computed by whichever attempt."""
        return sum(map(int, (self.folder / "rows").read_text().split()))


def _executor() -> psutil.Process:
    """The JVM whose daemon has forked this worker."""
    executor = psutil.Process(os.getppid()).parent()
    assert executor is not None
    return executor


def _driver() -> psutil.Process:
    """The JVM that has started the executors."""
    driver = _executor().parent()
    assert driver is not None
    return driver


def _kill_executor() -> None:
    _executor().kill()


def _kill_all_workers() -> None:
    """Those of all executors, this one last."""
    for process in _driver().children(recursive=True):
        parent = process.parent()
        if parent and "pyspark.daemon" in parent.cmdline() and process.pid != os.getpid():
            process.kill()
    os.kill(os.getpid(), signal.SIGKILL)


def _rows(columns: Any) -> int:
    """Of a batch of results; what is no batch has none."""
    return len(columns["user_id"]) if isinstance(columns, dict) else 0


FAULTS: dict[str, Callable[[], None]] = {
    "executor": _kill_executor,
    "workers": _kill_all_workers,
}
