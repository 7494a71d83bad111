"""What a person sees while work goes on: messages, and a bar with rate and time left for long work.

Every message is a record of the logger `llm_i2i_spark`, level INFO, so that a program that uses
this package decides with `logging` alone what becomes of it:

    logging.getLogger("llm_i2i_spark").setLevel(logging.WARNING)    # neither messages nor bars
    logging.getLogger("llm_i2i_spark").addHandler(my_handler)       # messages there as well

Without any such line they are shown: on standard error, so that standard output is left to results,
or in the cell of a notebook. `set_console` chooses otherwise.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, Literal, Protocol, TypeVar

from llm_i2i_spark.base.redaction import redact

T = TypeVar("T")
ConsoleName = Literal["auto", "terminal", "notebook", "silent"]
LINE_EVERY_SECONDS = 15.0
logger = logging.getLogger("llm_i2i_spark")


class Bar(Protocol):
    """The part of tqdm's interface that `Progress` draws with."""

    total: Any
    n: Any

    def set_postfix_str(self, s: str, refresh: bool) -> Any:
        """Set the words behind the numbers."""

    def refresh(self) -> Any:
        """Draw the bar anew."""

    def close(self) -> Any:
        """Remove the bar."""


class Console(Protocol):
    """Where messages and bars are shown."""

    def message(self, text: str) -> None:
        """Show one line."""

    def bar(self, title: str, total: int | None, unit: str) -> Bar | None:
        """Begin a bar; None where none can be drawn, and progress is shown as lines instead."""


class TerminalConsole:
    """Standard error: bars where it is a terminal, plain lines where it is a file or a pipe."""

    def message(self, text: str) -> None:
        """Write one line, above the bar where one is shown."""
        if sys.stderr.isatty():
            from tqdm import tqdm

            tqdm.write(text, file=sys.stderr)
        else:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def bar(self, title: str, total: int | None, unit: str) -> Bar | None:
        """A line that is drawn over itself; None where standard error is not a terminal."""
        if not sys.stderr.isatty():
            return None
        from tqdm import tqdm

        return tqdm(
            total=total,
            desc=f"  {title}",
            unit=f" {unit}",
            leave=False,
            dynamic_ncols=True,
            file=sys.stderr,
        )


class NotebookConsole:
    """The cell that runs: lines as its output, bars as widgets where ipywidgets is installed."""

    def message(self, text: str) -> None:
        """Write one line to standard output: notebooks show standard error as if it failed."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def bar(self, title: str, total: int | None, unit: str) -> Bar | None:
        """A widget; None without ipywidgets."""
        if importlib.util.find_spec("ipywidgets") is None:
            return None
        from tqdm.notebook import tqdm

        return tqdm(total=total, desc=title, unit=f" {unit}", leave=False)


class SilentConsole:
    """Shows nothing; the messages still reach the handlers of the program that uses the package."""

    def message(self, text: str) -> None:
        """Show nothing."""

    def bar(self, title: str, total: int | None, unit: str) -> Bar | None:
        """No bar."""
        return None


def pace(done: float, seconds: float) -> str:
    """How fast work goes, in words that hold for slow work too.

    Args:
        done: units finished.
        seconds: above 0.

    Returns:
        Such as `12.3 a second` or `4.0 a minute`.
    """
    each = done / seconds
    if 0 < each < 0.1:
        return f"{each * 60:,.1f} a minute"
    return f"{each:,.1f} a second"


class Progress:
    """A count that grows towards a total, shown as a bar or, where none can be drawn, as a message
    every 15 seconds.

    Args:
        title: what is being done, such as `generate`.
        total: how many units there are; None while unknown.
        unit: the word behind the rate.
    """

    def __init__(self, title: str, total: int | None = None, unit: str = "rows") -> None:
        self._title, self._unit = title, unit
        self._done, self._total = 0, total
        self._started = self._last_line = time.monotonic()
        shown = logger.isEnabledFor(logging.INFO) and _handler in logger.handlers
        self._bar = _handler.console().bar(title, total, unit) if shown else None

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
        elif time.monotonic() - self._last_line >= LINE_EVERY_SECONDS:
            self._last_line = time.monotonic()
            log_message(f"  {self._title}: {self._line()}{', ' + note if note else ''}")

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _line(self) -> str:
        seconds = max(time.monotonic() - self._started, 1e-9)
        how_fast = f"{self._unit}, {pace(self._done, seconds)}"
        if not self._total:
            return f"{self._done:,} {how_fast}"
        left = (self._total - self._done) * seconds / self._done if self._done else 0
        ahead = f", {left:,.0f} s left" if self._done else ""
        return f"{self._done:,} of {self._total:,} {how_fast}{ahead}"

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def track(
    things: Iterable[T], title: str, total: int | None = None, unit: str = "rows"
) -> Iterator[T]:
    """Yield from `things` while showing how far it is."""
    with Progress(title, total, unit) as progress:
        for done, thing in enumerate(things, start=1):
            yield thing
            progress.update(done)


def log_message(text: str) -> None:
    """Write one line for the person who runs this, without secrets."""
    logger.info("%s", redact(text))


def set_console(name: ConsoleName) -> None:
    """Choose where messages and bars are shown.

    Args:
        name: `terminal`: standard error; `notebook`: the running cell; `silent`: nowhere; `auto`,
            which holds at the start: the cell in a notebook, else standard error.
    """
    _handler.choice = name


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and "IPKernelApp" in shell.config


class _ConsoleHandler(logging.Handler):
    """Shows records on the chosen console; without a choice, only those that the program's own
    logging does not write to the same screen.
    """

    choice: ConsoleName = "auto"
    _consoles: dict[str, Console] = {  # noqa: RUF012
        "terminal": TerminalConsole(),
        "notebook": NotebookConsole(),
        "silent": SilentConsole(),
    }

    def console(self) -> Console:
        """The console that is chosen now."""
        if self.choice == "auto":
            return self._consoles["notebook" if in_notebook() else "terminal"]
        return self._consoles[self.choice]

    def emit(self, record: logging.LogRecord) -> None:
        """Show one record."""
        if self.choice != "auto" or not _shown_by_program(record):
            self.console().message(self.format(record))


def _shown_by_program(record: logging.LogRecord) -> bool:
    """Whether a handler of the root logger writes this record to standard output or error, as after
    `logging.basicConfig`.
    """
    return logger.propagate and any(
        record.levelno >= handler.level
        and getattr(handler, "stream", None) in (sys.stdout, sys.stderr)
        for handler in logging.getLogger().handlers
    )


_handler = _ConsoleHandler()
logger.addHandler(_handler)
if logger.level == logging.NOTSET:
    logger.setLevel(logging.INFO)
