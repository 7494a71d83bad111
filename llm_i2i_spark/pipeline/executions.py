"""One stage executed for several groups of results: one after the other, or at the same time."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.base.stage import PinnedRun, Stage
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.lake.capabilities import SPARK_ERRORS
from llm_i2i_spark.lake.spark_errors import spark_reason
from llm_i2i_spark.lake.stage_run import StageRun
from llm_i2i_spark.lake.storage_errors import storage_error
from llm_i2i_spark.lake.tables import Lake
from llm_i2i_spark.lake.worker_errors import worker_error


def execute_all(
    lake: Lake, stage: Stage, executions: Sequence[tuple[Config, PinnedRun]]
) -> int | None:
    """Execute a stage for each group of results: one after the other, or as many at the same time
    as it allows. Where one fails, the others are cancelled.

    Args:
        lake: the tables.
        stage: what is executed.
        executions: settings and pinned inputs of each.

    Returns:
        The tokens that language models have read in Spark's workers; None where nobody counts them.

    Raises:
        StageError: one failed in Spark or in its process; other errors pass through.
    """
    at_once = min(stage.at_once(executions[0][0]), len(executions))
    cancelled = threading.Event()
    if at_once == 1:
        return _sum(
            [_execute(lake, config, stage, pinned, cancelled) for config, pinned in executions]
        )
    with ThreadPoolExecutor(at_once) as threads:
        running = [
            threads.submit(_execute, lake, config, stage, pinned, cancelled)
            for config, pinned in executions
        ]
        try:
            return _sum([one.result() for one in as_completed(running)])
        except BaseException:
            cancelled.set()
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _execute(
    lake: Lake, config: Config, stage: Stage, pinned: PinnedRun, cancelled: threading.Event
) -> int | None:
    """Execute a stage; the tokens that its models have read in Spark's workers."""
    try:
        with StageRun(lake, config, stage, pinned, cancelled) as run:
            stage.execute(run)
            return run.tokens_read
    except SPARK_ERRORS as error:
        known = worker_error(error) or storage_error(error)
        raise known or StageError(
            f"Stage {stage.name} failed in Spark ({spark_reason(error)}); the same command goes on"
            " from this stage once that is mended."
        ) from error
