"""What a person sees while work goes on: a bar with rate and time left on a terminal, plain lines
elsewhere.

Everything goes to standard error, so that `--json` and pipes keep standard output for results.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")
LINE_EVERY_SECONDS = 15.0


class Progress:
    """A count that grows towards a total, shown as a bar or, where nobody looks at a terminal, as a
    line now and then.

    Args:
        title: what is being done, such as `generate`.
        total: how many units there are; None while unknown.
        unit: the word behind the rate.
    """

    def __init__(self, title: str, total: int | None = None, unit: str = "rows") -> None:
        self._title, self._unit = title, unit
        self._done, self._total = 0, total
        self._started = self._said = time.monotonic()
        self._bar: tqdm[Any] | None = None
        if sys.stderr.isatty():
            self._bar = tqdm(
                total=total,
                desc=f"  {title}",
                unit=f" {unit}",
                leave=False,
                dynamic_ncols=True,
                file=sys.stderr,
            )

    def update(self, done: int, total: int | None = None, note: str = "") -> None:
        """Say that `done` units of `total` are finished in all.

        Args:
            done: units finished since the start (not since the last call).
            total: the new total, where it has changed.
            note: a few words behind the numbers, such as the loss.
        """
        self._done = done
        self._total = total if total is not None else self._total
        if self._bar is not None:
            self._bar.total = self._total
            self._bar.n = done
            if note:
                self._bar.set_postfix_str(note, refresh=False)
            self._bar.refresh()
        elif time.monotonic() - self._said >= LINE_EVERY_SECONDS:
            self._said = time.monotonic()
            log_message(f"  {self._title}: {self._line()}{', ' + note if note else ''}")

    def _line(self) -> str:
        seconds = max(time.monotonic() - self._started, 1e-9)
        rate = self._done / seconds
        if not self._total:
            return f"{self._done:,} {self._unit}, {rate:,.1f} a second"
        left = (self._total - self._done) / rate if rate else float("inf")
        ahead = f", {left:,.0f} s left" if self._done else ""
        return f"{self._done:,} of {self._total:,} {self._unit}, {rate:,.1f} a second{ahead}"

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()


def track(
    things: Iterable[T], title: str, total: int | None = None, unit: str = "rows"
) -> Iterator[T]:
    """Yield from `things` while showing how far it is."""
    with Progress(title, total, unit) as progress:
        for done, thing in enumerate(things, start=1):
            yield thing
            progress.update(done)


def log_message(text: str) -> None:
    """Write one line for the person who runs this, above a bar where one is shown."""
    if sys.stderr.isatty():
        tqdm.write(text, file=sys.stderr)
    else:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
