"""The ranks of a training job as tasks of Spark, by PySpark's TorchDistributor."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

from pyspark.sql import SparkSession

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.unfinished import owned
from llm_i2i_spark.lake.capabilities import SPARK_ERRORS
from llm_i2i_spark.lake.leftovers import STAGING_FOLDER
from llm_i2i_spark.lake.spark_errors import spark_reason

EXECUTOR_GPUS, TASK_GPUS = "spark.executor.resource.gpu.amount", "spark.task.resource.gpu.amount"


class ExecutorRanks:
    """Starts training jobs as so many ranks, one a task, on GPUs where tasks have them.

    Args:
        spark: the session.
        root: of the lake, which every executor sees under this path.
        count: of the ranks; as many tasks must have room at the same time.

    Raises:
        ConfigError: executors have GPUs, and nothing says how many of them a task gets.
    """

    def __init__(self, spark: SparkSession, root: Path, count: int) -> None:
        self._spark, self._root, self._count = spark, root, count
        self._on_gpus = _has(spark, TASK_GPUS)
        if _has(spark, EXECUTOR_GPUS) and not self._on_gpus:
            raise ConfigError(
                "Executors have GPUs, and ranks of a training on them need one a task: start the"
                f" session with {TASK_GPUS}=1."
            )

    @contextmanager
    def folder(self, stage: str) -> Iterator[Path]:
        """A folder of the lake that is removed after the block, or by the next run."""
        below = self._root / STAGING_FOLDER
        below.mkdir(exist_ok=True)
        with owned(lambda: Path(tempfile.mkdtemp(prefix=f"{stage}-", dir=below))) as path:
            try:
                yield path
            finally:
                shutil.rmtree(path, ignore_errors=True)

    def start(self, module: str, arguments: Sequence[str], log: Path) -> RunningRanks:
        """Start `python -m MODULE ARGUMENTS` in every task; their output is added to the log."""
        log.write_bytes(b"")
        return RunningRanks(self._spark, self._count, self._on_gpus, (module, *arguments), log)


class RunningRanks:
    """Ranks at work, followed by a thread of this process.

    Args:
        spark: the session.
        count: of the ranks.
        on_gpus: whether each has its task's GPU.
        program: a module of this package and the arguments of its program.
        log: file that the output of all ranks is added to.
    """

    def __init__(
        self,
        spark: SparkSession,
        count: int,
        on_gpus: bool,
        program: Sequence[str],
        log: Path,
    ) -> None:
        self._spark = spark
        self._tag = f"llm-i2i-ranks-{secrets.token_hex(4)}"
        self._code = 1
        self._thread = threading.Thread(
            target=self._follow, args=(count, on_gpus, program, log), daemon=True
        )
        self._thread.start()

    def poll(self) -> int | None:
        """The exit code of the first rank, or 1 where Spark gave it up; None while it works."""
        return None if self._thread.is_alive() else self._code

    def end(self) -> int:
        """Cancel the ranks where they are at work, and wait until they are gone; their code."""
        if self._thread.is_alive():
            with suppress(*SPARK_ERRORS):
                self._spark.interruptTag(self._tag)
        self._thread.join()
        return self._code

    def _follow(self, count: int, on_gpus: bool, program: Sequence[str], log: Path) -> None:
        from pyspark.ml.torch.distributor import TorchDistributor

        try:
            self._spark.addTag(self._tag)
            ranks = TorchDistributor(count, local_mode=False, use_gpu=on_gpus)
            code: int | None = ranks.run(_run_rank, *program, log=str(log))
            self._code = 1 if code is None else code
        except Exception as error:  # Spark's, or of TorchDistributor: RuntimeError
            with log.open("a", encoding="utf-8") as file:
                file.write(f"Error: {spark_reason(error)}\n")


def _run_rank(module: str, *arguments: str, log: str) -> int:
    """Be a rank; its exit code, which no more makes Spark try again than success does."""
    with open(log, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    code: int = import_module(f"{module}.__main__").main(arguments)
    return code


def _has(spark: SparkSession, key: str) -> bool:
    return float(spark.conf.get(key, None) or 0) >= 1
