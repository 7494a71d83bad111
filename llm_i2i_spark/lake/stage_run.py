"""One execution of a stage with Spark: what it reads, where it writes, what it stages."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame, SparkSession

from llm_i2i_spark.base.contract import Scope, scope_condition
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.base.files import is_uri
from llm_i2i_spark.base.run_record import Commit, commit_of
from llm_i2i_spark.base.stage import PinnedRun, Stage
from llm_i2i_spark.lake.capabilities import token_counter
from llm_i2i_spark.lake.executor_ranks import ExecutorRanks
from llm_i2i_spark.lake.kept_results import KeptResults
from llm_i2i_spark.lake.materialize import materialized
from llm_i2i_spark.lake.tables import Lake
from llm_i2i_spark.lake.unfinished_work import inference_folder, remove_unfinished_work

if TYPE_CHECKING:
    from pyspark import Accumulator

    from llm_i2i_spark.config.config import Config


class StageRun:
    """What a stage's `execute` gets. As a context manager it ends what was staged.

    Args:
        lake: the tables.
        config: the settings of these results.
        stage: what is executed.
        pinned: versions to read, results to produce.
        cancelled: set when the work is no longer wanted; for what waits outside Spark.
    """

    def __init__(
        self,
        lake: Lake,
        config: Config,
        stage: Stage,
        pinned: PinnedRun,
        cancelled: threading.Event | None = None,
    ) -> None:
        self.lake, self.config, self.stage, self.pinned = lake, config, stage, pinned
        self.cancelled = cancelled or threading.Event()
        self._staged = ExitStack()
        self._unfinished_root: Path | None = None
        self._token_counter: Accumulator[int] | None = None

    @property
    def spark(self) -> SparkSession:
        """The session."""
        return self.lake.spark

    @property
    def run_id(self) -> str:
        """Shared by all stages that one command executes."""
        return self.pinned.run_id

    @property
    def scopes(self) -> tuple[dict[str, str], ...]:
        """The results to produce, each with a value for the columns of the stage's scope."""
        return self.pinned.scopes

    @property
    def versions(self) -> dict[str, int]:
        """The version of each table that is read."""
        return self.pinned.reads

    def read(self, table: str, scope: Scope | None = None) -> DataFrame:
        """A table at its pinned version: the rows that these results are made from, or those of one
        scope.

        Raises:
            StageError: the stage does not declare that it reads this table.
            UserError: the version is no longer readable.
        """
        if table not in self.stage.reads or table not in self.versions:
            raise StageError(f"Stage {self.stage.name} reads {table} without declaring it.")
        frame = self.lake.read(table, self.versions[table], scope)
        scopes = tuple(one for one in self.pinned.read_scopes.get(table, ()) if one)
        return frame if scope or not scopes else frame.where(scope_condition(scopes))

    def inputs(self, table: str) -> tuple[dict[str, str], ...]:
        """Which of the results in a table these results are made from."""
        return self.pinned.read_scopes.get(table, ())

    def write(
        self, table: str, frame: DataFrame, title: str | None = None, **attributes: Any
    ) -> int:
        """Replace this run's scopes of a table in one commit.

        Args:
            table: one that the stage writes.
            frame: rows of the contract.
            title: words for the progress bar.
            attributes: for the run record.

        Returns:
            The version that holds the rows.

        Raises:
            StageError: the table is not the stage's, or the rows do not fit its contract.
        """
        if TABLES[table].stage != self.stage.name:
            raise StageError(f"Stage {self.stage.name} may not write {table}.")
        record = self.pinned.record(self.config, table, **attributes)
        scopes = self.scopes if TABLES[table].scope else ()
        return self.lake.write(frame, record, scopes, title)

    def written(self, table: str, frame: DataFrame, **attributes: Any) -> DataFrame:
        """Write a table, and read it back as it stands in that commit."""
        return self.lake.read(table, self.write(table, frame, **attributes))

    def staged(self, frame: DataFrame, title: str) -> DataFrame:
        """The same rows, computed once, readable until the stage ends.

        Args:
            frame: what to compute.
            title: words for the progress bar.
        """
        return self._staged.enter_context(materialized(self.lake, frame, title))

    def kept_results(self, table: str) -> KeptResults | None:
        """Where results of a language model are kept until this stage has committed, so that one
        that is started again goes on from there; None where the lake is not a folder.

        Args:
            table: that the results are for.
        """
        root, fingerprint = self.lake.root, self.pinned.fingerprint
        if root is None or is_uri(root) or not fingerprint:
            return None
        self._unfinished_root = Path(root)
        return KeptResults(str(inference_folder(self._unfinished_root, fingerprint)), table)

    def executor_ranks(self, root: Path, count: int) -> ExecutorRanks:
        """What starts training jobs as so many ranks on Spark's executors.

        Args:
            root: of the lake, a folder.
            count: of the ranks.

        Raises:
            ConfigError: tasks have none of the executors' GPUs.
        """
        return ExecutorRanks(self.spark, root, count)

    def token_counter(self) -> Accumulator[int] | None:
        """What the workers of this execution add the tokens to that their models read; None where
        the platform has no such sum.
        """
        if self._token_counter is None:
            self._token_counter = token_counter(self.spark)
        return self._token_counter

    @property
    def tokens_read(self) -> int | None:
        """The tokens that models have read in the workers of this execution, padding not counted;
        None where nobody counts them.
        """
        return None if self._token_counter is None else self._token_counter.value

    def last_commit(self, table: str, scope: Scope) -> Commit | None:
        """The commit that wrote a result as the latest version of a table holds it."""
        return commit_of(self.lake.history(table), scope)

    def __enter__(self) -> StageRun:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._staged.close()
        if error is None and self._unfinished_root is not None:
            remove_unfinished_work(self._unfinished_root, [self.pinned.fingerprint])
