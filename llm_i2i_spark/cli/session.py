"""What a command works with: the project it opens, and standard output for its results."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from llm_i2i_spark.config.config import Config
from llm_i2i_spark.project import Project


class OutputClosedError(Exception):
    """Whoever read standard output has stopped reading, as `head` does."""


def open_project(config: Config) -> Project:
    """The project that a configuration describes."""
    return Project(config=config)


def show(options: argparse.Namespace, values: Any, lines: Iterable[str]) -> None:
    """Print a result: as one line of JSON with `--json`, else as lines.

    Args:
        options: of the command.
        values: what JSON holds; values that JSON does not know become text.
        lines: what a person reads.
    """
    print_line(json.dumps(values, default=str) if options.json else "\n".join(lines))


def print_line(text: str) -> None:
    """Print to standard output.

    Raises:
        OutputClosedError: nobody reads it any more.
    """
    with _closed_output_told():
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def flush_output() -> None:
    """Write out what others printed to standard output.

    Raises:
        OutputClosedError: nobody reads it any more.
    """
    with _closed_output_told():
        sys.stdout.flush()


@contextmanager
def _closed_output_told() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        # The interpreter flushes once more at its end and would say so, if it could not.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputClosedError from None
