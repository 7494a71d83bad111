"""Frames that are computed once, for a backbone that is used without a lake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pyspark.sql import DataFrame

from llm_i2i_spark.lake.spark_progress import show_task_progress


@contextmanager
def kept_frames() -> Iterator[Callable[[DataFrame, str], DataFrame]]:
    """A function that computes a frame (its second argument is the title of the progress bar) and
    keeps the rows in Spark's storage, memory first, until the block ends.
    """
    kept: list[DataFrame] = []

    def keep(frame: DataFrame, title: str) -> DataFrame:
        kept.append(frame.persist())
        with show_task_progress(frame.sparkSession, title):
            kept[-1].count()
        return kept[-1]

    try:
        yield keep
    finally:
        for frame in kept:
            frame.unpersist()


def compute_once(frame: DataFrame, title: str) -> DataFrame:
    """The same rows, computed now and kept in Spark's storage for as long as the DataFrame is
    referenced; what they were computed from is forgotten.
    """
    with show_task_progress(frame.sparkSession, title):
        return frame.localCheckpoint()
