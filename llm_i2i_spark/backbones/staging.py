"""Frames that are computed once, for a backbone that is used without a lake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pyspark.sql import DataFrame

from llm_i2i_spark.lake.spark_progress import show_task_progress


@contextmanager
def kept_frames() -> Iterator[Callable[[DataFrame, str], DataFrame]]:
    """A function that computes a frame (its second argument is the title of the progress bar) and
    keeps the rows in Spark's storage, memory first, at least until the block ends.

    What the rows were computed from is forgotten: the plan of a frame that is made of kept ones,
    which are made of kept ones, would otherwise grow until the driver has no memory for it.
    """
    kept: list[DataFrame] = []

    def keep(frame: DataFrame, title: str) -> DataFrame:
        kept.append(compute_once(frame, title))
        return kept[-1]

    yield keep


def compute_once(frame: DataFrame, title: str) -> DataFrame:
    """The same rows, computed now and kept in Spark's storage for as long as the DataFrame is
    referenced; what they were computed from is forgotten.
    """
    with show_task_progress(frame.sparkSession, title):
        return frame.localCheckpoint()
