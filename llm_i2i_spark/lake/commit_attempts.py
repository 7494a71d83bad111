"""Commits that another writer of the table came before: made again, a bounded number of times."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.errors import ConcurrentWriteError

ATTEMPTS = 5

T = TypeVar("T")


def commit_again(table: str, commit: Callable[[], T]) -> T:
    """Commit, and where another writer was faster, begin again on what that one has left.

    Args:
        table: its name, for the message.
        commit: reads the table and commits to it.

    Raises:
        ConcurrentWriteError: others were faster at every attempt.
    """
    for attempt in range(1, ATTEMPTS):
        try:
            return commit()
        except ConcurrentWriteError:
            log_message(f"  another run wrote {table} meanwhile; attempt {attempt + 1}/{ATTEMPTS}")
    return commit()
