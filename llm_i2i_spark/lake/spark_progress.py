"""A progress bar over Spark's tasks, for work that happens inside one action."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession

from llm_i2i_spark.base.console import Progress
from llm_i2i_spark.lake.capabilities import task_counts

POLL_SECONDS = 0.5


@contextmanager
def show_task_progress(spark: SparkSession, title: str) -> Iterator[None]:
    """Show how many of Spark's tasks are done while the block runs.

    The total grows as Spark plans further stages, so the time left is that of the stages known so
    far.
    """
    finished = threading.Event()
    with Progress(title, unit="tasks") as progress:
        thread = threading.Thread(target=_poll, args=(spark, progress, finished), daemon=True)
        thread.start()
        try:
            yield
        finally:
            finished.set()
            thread.join(timeout=5)


def _poll(spark: SparkSession, progress: Progress, finished: threading.Event) -> None:
    seen: dict[int, tuple[int, int]] = {}
    while not finished.wait(POLL_SECONDS):
        counts = task_counts(spark, seen)
        if counts is None:
            return
        progress.update(*counts)
