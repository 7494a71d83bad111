"""The audit of a project beyond one edge: what changed, what is damaged, and back again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.extras import optional_imports
from llm_i2i_spark.lake.location import local_root
from llm_i2i_spark.project.lake_access import LakeAccess

if TYPE_CHECKING:
    import pyarrow as pa

    from llm_i2i_spark.audit.index_diff import IndexDiff
    from llm_i2i_spark.audit.index_diff.index_rows import IndexVersions
    from llm_i2i_spark.audit.replay import RunReplay
    from llm_i2i_spark.audit.rollback import Rollback, RollbackPlan
    from llm_i2i_spark.audit.user_trace import UserTrace
    from llm_i2i_spark.audit.verify import Verification


class AuditAccess(LakeAccess):
    """What the history of a project's tables can answer."""

    def diff(
        self,
        before: str | int | None = None,
        after: str | int | None = None,
        examples: int = 5,
    ) -> IndexDiff:
        """What changed in the index between two versions, and why; needs no Spark where the lake
        is local.

        Args:
            before: version of the table `item_index`, or a run that wrote it; None for the one
                that was written before `after`, or before the latest.
            after: likewise; None for the latest.
            examples: lists to show for each variant and backbone.

        Raises:
            UserError: there is no such version or run, or its files are gone.
        """
        from llm_i2i_spark.audit.index_diff import diff_index
        from llm_i2i_spark.audit.index_versions import choose_versions
        from llm_i2i_spark.audit.origins import Origins

        histories = self.histories
        versions = choose_versions(histories.history("item_index"), before, after)
        return diff_index(
            Origins(histories), self._index_versions(*versions), *versions, self._columns, examples
        )

    def verify(self, quick: bool = False) -> Verification:
        """Whether every table is what its log and its contract say: data files there and undamaged,
        conditions and keys of the contract, checkpoints, versions that must still be readable; with
        files that no version names, and what ended runs have left. Nothing is written; needs no
        Spark.

        Args:
            quick: compare names and sizes of files alone, and read no rows.

        Raises:
            UserError: the lake is not a folder of this machine.
        """
        from llm_i2i_spark.audit.verify import verify_lake

        self._require_local("A verification looks at")
        return verify_lake(self._config.lake, quick)

    def plan_restore(
        self,
        run: str | None = None,
        version: int | None = None,
        tables: Sequence[str] | None = None,
    ) -> RollbackPlan:
        """What `restore` with the same arguments would do; nothing is written.

        Args:
            run: that wrote the index which shall come back.
            version: of the table `item_index`, in place of a run.
            tables: to bring back; None for the index and all that it was made from.

        Raises:
            UserError: there is no such run or version, or files of it are gone.
        """
        from llm_i2i_spark.audit.index_versions import find_index_version
        from llm_i2i_spark.audit.rollback import plan_rollback

        if (run is None) == (version is None):
            raise ConfigError("Name a run or a version of item_index to go back to, not both.")
        histories = self.histories
        wanted = version if version is not None else run
        assert wanted is not None
        found = find_index_version(histories.history("item_index"), wanted)
        return plan_rollback(histories, found, tables)

    @optional_imports()
    def restore(
        self,
        run: str | None = None,
        version: int | None = None,
        tables: Sequence[str] | None = None,
    ) -> Rollback:
        """Bring the index of a former run back, with all that it was made from: new commits that
        copy no data, so that it can be undone.

        Args:
            run: as in `plan_restore`.
            version: likewise.
            tables: likewise.

        Raises:
            UserError: as `plan_restore`.
            StageError: Delta could not.
        """
        from llm_i2i_spark.audit.rollback import roll_back

        self.plan_restore(
            run, version, tables
        )  # a mistake is told before another run is waited for
        with self.lock("audit rollback"):
            plan = self.plan_restore(run, version, tables)
            return roll_back(self.lake, self._config, plan)

    @optional_imports()
    def replay_run(
        self,
        run: str,
        stages: Sequence[str] | None = None,
        scratch: str | Path | None = None,
        other_code: bool = False,
        train: bool = False,
    ) -> RunReplay:
        """Execute the stages of a run again, each on the versions and with the options that its
        record names, in a scratch lake, and compare the rows with those that the run wrote.

        Args:
            run: its id.
            stages: to replay; None for all that left a commit.
            scratch: folder for the scratch lake; None for one below `lake.root`, where no data is
                copied. It is removed at the end.
            other_code: whether to replay also a stage whose code has changed since.
            train: whether to train models again too, in stages `sft`, `combine` and `embed`; one
                that `stages` names is replayed in any case.

        Raises:
            UserError: there is no such run, or the lake is not a folder of this machine.
        """
        from llm_i2i_spark.audit.replay import replay_run
        from llm_i2i_spark.pipeline.stages import STAGES

        self._require_local("A replay links")
        by_name = {stage.name: stage for stage in STAGES}
        place = Path(scratch) if scratch is not None else None
        return replay_run(self.lake, self.config, by_name, run, stages, place, other_code, train)

    @optional_imports()
    def trace_user(
        self,
        user: str,
        variant: str | None = None,
        backbone: str | None = None,
        entries: int = 20,
        version: int | None = None,
    ) -> UserTrace:
        """Everything that a user's rows touched up to one index: rows by table, what language
        models added, the models that were trained on them, and the neighbours that the user has
        together with the item.

        Args:
            user: its id, byte for byte.
            variant: of the index; None for llm_i2i where there is one, else real.
            backbone: of the index; None for Swing where there is one.
            entries: how many entries of the index to list, the fewest users behind them first.
            version: of the table `item_index`; None for the latest.

        Raises:
            UserError: nothing that the index was made from holds the user, or a version cannot be
                read any more.
        """
        from llm_i2i_spark.audit.user_trace import trace_user
        from llm_i2i_spark.serving.choice import choose_index

        present = [(one.name, name) for one, name in self._systems()]
        chosen = choose_index(present, variant, backbone)
        return trace_user(self.lake, user, *chosen, entries, version)

    def _require_local(self, what: str) -> None:
        if local_root(self._config.lake) is None:
            raise ConfigError(
                f"{what} the files of a lake in a folder of this machine: set lake.root to one (on"
                " Databricks below /Volumes; mount an object store)."
            )

    def _index_versions(self, before: int, after: int) -> IndexVersions:
        from llm_i2i_spark.audit.index_diff import index_rows

        if local_root(self._config.lake) is None:
            return index_rows.SparkVersions(self.lake, before, after)
        from llm_i2i_spark.lake.delta_rs import DeltaRsLake

        path = DeltaRsLake(self._config.lake).path("item_index")
        return index_rows.FilesOfVersions(path, before, after)

    def _columns(self, table: str, columns: Sequence[str]) -> pa.Table | None:
        """Columns of the latest version of a table; None where there is no such table."""
        if self.histories.history(table, 1) == []:
            return None
        if local_root(self._config.lake) is None:
            return self.lake.read(table).select(*columns).toArrow()
        from llm_i2i_spark.lake.delta_rs import DeltaRsLake

        return DeltaRsLake(self._config.lake).read(table, None, columns)
