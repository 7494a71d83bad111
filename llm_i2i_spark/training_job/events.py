"""Progress events of a training job: lines of JSON from its process to the stage that launched
it, or shown directly.

The job runs in a process of its own, whose output goes to a log; the stage shows its progress bars.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llm_i2i_spark.base.console import Progress, log_message

Event = dict[str, Any]
Sink = Callable[[Event], None]
SECONDS_BETWEEN = 0.2
"""Seconds between two progress events of the same work."""


class Reporter:
    """Sends events; progress at most five times a second.

    Args:
        sink: takes the events: `EventFile.write`, `EventView.show`, or `discard` on all ranks but
            the main one.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._last = 0.0
        self._title = ""

    def note(self, text: str) -> None:
        """One line for the person who runs this."""
        self._sink({"kind": "note", "text": text})

    def progress(self, title: str, done: int, total: int, unit: str, note: str = "") -> None:
        """How much of the work called `title` is done."""
        now = time.monotonic()
        if title == self._title and done < total and now - self._last < SECONDS_BETWEEN:
            return
        self._title, self._last = title, now
        self._sink(
            {
                "kind": "progress",
                "title": title,
                "done": done,
                "total": total,
                "unit": unit,
                "note": note,
            }
        )

    def failed(self, message: str, error: str) -> None:
        """The job ends with an error: its message, and the name of its class in `base.errors`."""
        self._sink({"kind": "failed", "message": message, "error": error})


def discard(event: Event) -> None:
    """Ignore an event."""


class EventFile:
    """Appends each event as one line of JSON."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, event: Event) -> None:
        """Append one event."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")


class EventReader:
    """Reads the events appended since the last read; an incomplete last line waits for the next."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read(self) -> list[Event]:
        """The new events, oldest first."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            complete, newline, _ = file.read().rpartition(b"\n")
        self._offset += len(complete) + len(newline)
        return [json.loads(line) for line in complete.splitlines()]


class EventView:
    """Shows events: a progress bar for the current work, a line for a note.

    Args:
        stage: whose job it is; the titles of the bars begin with it.
        part: which of several jobs that run at the same time; titles and lines name it.

    Attributes:
        failure: the event of a failure, if there was one.
    """

    def __init__(self, stage: str, part: str = "") -> None:
        self._stage = f"{stage} {part}".rstrip()
        self._part = f"{part}: " if part else ""
        self._title = ""
        self._bar: Progress | None = None
        self.failure: Event | None = None

    def show(self, event: Event) -> None:
        """Show one event."""
        if event["kind"] == "note":
            log_message(f"  {self._part}{event['text']}")
        elif event["kind"] == "failed":
            self.failure = event
        elif event["kind"] == "progress":
            if self._bar is None or event["title"] != self._title:
                self.close()
                self._title, self._bar = (
                    event["title"],
                    Progress(f"{self._stage}: {event['title']}", event["total"], event["unit"]),
                )
            self._bar.update(event["done"], event["total"], event["note"])

    def close(self) -> None:
        """End the current progress bar."""
        if self._bar is not None:
            self._bar.__exit__()
            self._bar = None
