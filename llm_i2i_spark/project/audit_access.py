"""The audit of a project beyond one edge: what changed, what is damaged, and back again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.lake.location import local_root
from llm_i2i_spark.project.lake_access import LakeAccess

if TYPE_CHECKING:
    import pyarrow as pa

    from llm_i2i_spark.audit.index_diff import IndexDiff
    from llm_i2i_spark.audit.index_diff.index_rows import IndexVersions
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
        from llm_i2i_spark.audit.index_diff.diff import choose_versions
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

        if local_root(self._config.lake) is None:
            raise ConfigError(
                "A verification looks at the files of a lake in a folder of this machine (on"
                " Databricks below /Volumes); for an object store, mount it and name the folder."
            )
        return verify_lake(self._config.lake, quick)

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
