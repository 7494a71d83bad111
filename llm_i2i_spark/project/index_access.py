"""What can be done with the indexes of a project: look up, publish, recommend, trace."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llm_i2i_spark.base.extras import optional_imports
from llm_i2i_spark.project.lake_access import LakeAccess

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from llm_i2i_spark.audit.runs import RunSummary
    from llm_i2i_spark.audit.trace.edge import EdgeTrace
    from llm_i2i_spark.evaluate.evaluation import Evaluation
    from llm_i2i_spark.evaluate.tie_orders import TieOrders
    from llm_i2i_spark.serving.base import Generation
    from llm_i2i_spark.serving.lookup import Lookup, Suggestion


class IndexAccess(LakeAccess):
    """The indexes of a project and the history behind them."""

    def lookup(
        self,
        items: Sequence[str],
        k: int = 10,
        variant: str | None = None,
        backbone: str | None = None,
        version: int | None = None,
    ) -> list[Suggestion]:
        """The best `k` items for a click list, oldest click first; needs no Spark.

        Args:
            items: the clicks, oldest first.
            k: how many.
            variant: of the index; None for llm_i2i before real, the served before the evaluated.
            backbone: of the index; None for Swing, or else the first by name.
            version: of the table `item_index`; None for the latest.

        Raises:
            UserError: there is no such index, or `k` is below 1.
        """
        return self.open_lookup(variant, backbone, version).recommend(items, k)

    def open_lookup(
        self,
        variant: str | None = None,
        backbone: str | None = None,
        version: int | None = None,
    ) -> Lookup:
        """An index opened for many lookups, with the settings of this project; needs no Spark.

        Args:
            variant: of the index, as in `lookup`.
            backbone: likewise.
            version: likewise.

        Raises:
            UserError: there is no such index.
        """
        from llm_i2i_spark.serving.index_reader import index_location
        from llm_i2i_spark.serving.lookup import Lookup

        settings = self._config.index
        return Lookup.open(
            index_location(self._config.lake),
            variant,
            backbone,
            version,
            settings.recent_items,
            settings.decay,
        )

    def index_export(
        self,
        out: str | Path,
        variant: str | None = None,
        backbone: str | None = None,
        version: int | None = None,
    ) -> int:
        """Write an index to a file, a row a neighbour (`.parquet`) or a line an item (`.jsonl`).

        Args:
            out: the file; it appears when it is complete.
            variant: of the index, as in `lookup`.
            backbone: likewise.
            version: likewise.

        Returns:
            The rows that were written.
        """
        return self.publish(out, variant, backbone, version).rows

    def publish(
        self,
        target: str | Path,
        variant: str | None = None,
        backbone: str | None = None,
        version: int | None = None,
    ) -> Generation:
        """Write an index to a store and make it the one that readers see, in one step.

        Args:
            target: such as `redis://host:6379/0?prefix=i2i`, `jdbc:postgresql://host/db`,
                `index.parquet` or `index.jsonl`.
            variant: of the index, as in `lookup`.
            backbone: likewise.
            version: likewise.

        Returns:
            The record of what is live now.

        Raises:
            UserError: the store or the index is not there.
        """
        from llm_i2i_spark.serving.publish import check, publish

        if self.root is not None:
            return publish(self.root, target, variant, backbone, version)
        check(target)  # before a session is started
        return publish(self.table("item_index", version), target, variant, backbone, version)

    def rollback(self, target: str | Path) -> Generation:
        """Let a store serve the index again that was live before the last publish.

        Raises:
            UserError: the store cannot be reached, or keeps no index before the live one.
        """
        from llm_i2i_spark.serving.publish import rollback

        return rollback(target)

    @optional_imports()
    def recommend(
        self,
        k: int = 10,
        variant: str | None = None,
        backbone: str | None = None,
        version: int | None = None,
    ) -> DataFrame:
        """The best `k` items for every user of the log, as `lookup` would give them.

        Args:
            k: how many.
            variant: of the index, as in `lookup`.
            backbone: likewise.
            version: of the table `item_index`; None for the latest.

        Returns:
            `user_id, recommendations array<struct<item_id, score, rank>>`.
        """
        from llm_i2i_spark.serving.recommendations import recommend_users

        settings = self._config.index
        return recommend_users(
            self.table("item_index", version),
            self.table("interactions"),
            k,
            settings.recent_items,
            settings.decay,
            variant,
            backbone,
        )

    @optional_imports()
    def evaluate_index(
        self, *paths: str | Path, name: str | None = None, baseline: str | None = None
    ) -> Evaluation:
        """The evaluation kit on indexes that anyone made, against the held-out interactions here.

        Args:
            paths: Parquet, CSV, JSON lines or a Delta folder with the columns item_id, rank,
                neighbor_id, score; or what `index-export` writes. Several are compared on the same
                users.
            name: of a single index in the result; None for the file's.
            baseline: name of the index that gains are over; None for the first.

        Raises:
            UserError: a file is not there or not of that form, none of its ids is known, or nothing
                is held out.
        """
        from llm_i2i_spark.evaluate.external_index import evaluate_external_indexes
        from llm_i2i_spark.evaluate.index_file import read_index_files

        indexes = read_index_files(lambda: self.lake.spark, paths)
        if name is not None and len(indexes) == 1:
            indexes = dict(zip([name], indexes.values(), strict=True))
        return evaluate_external_indexes(self.lake, self._config, indexes, baseline)

    @optional_imports()
    def evaluate_tie_orders(
        self, *paths: str | Path, seeds: Sequence[int] = (1, 2, 3, 4, 5)
    ) -> TieOrders:
        """`evaluate_index` with each user's interactions of equal time before the held-out one in
        the order given, and shuffled.

        Args:
            paths: as in `evaluate_index`.
            seeds: of the shuffled orders.

        Raises:
            UserError: the log has no times, or as `evaluate_index`.
        """
        from llm_i2i_spark.evaluate.evaluate_tie_orders import check_seeds, lake_tie_orders
        from llm_i2i_spark.evaluate.index_file import read_index_files

        check_seeds(seeds)
        indexes = read_index_files(lambda: self.lake.spark, paths)
        return lake_tie_orders(self.lake, self._config, indexes, seeds)

    @optional_imports()
    def trace(
        self,
        item: str,
        neighbor: str,
        variant: str | None = None,
        backbone: str | None = None,
        users: int = 20,
        version: int | None = None,
    ) -> EdgeTrace:
        """What is behind a neighbour of an item: components, users, prompts and checkpoints.

        Args:
            item: whose list it is in.
            neighbor: the item in that list.
            variant: of the index; None for llm_i2i where there is one, else real.
            backbone: of the index; None for `i2i.backbone`.
            users: how many to show, the heaviest contribution first.
            version: of the table `item_index`; None for the latest.

        Raises:
            UserError: the edge is not in the index, or a version on the way cannot be read.
        """
        from llm_i2i_spark.audit.trace.follow import trace_edge
        from llm_i2i_spark.serving.choice import choose_index

        present = [(one.name, name) for one, name in self._systems()]
        chosen = choose_index(present, variant, backbone)
        return trace_edge(self.lake, self._config, item, neighbor, *chosen, users, version)

    def runs(self) -> list[RunSummary]:
        """Every run that left a commit, newest first; needs no Spark where the lake is local."""
        from llm_i2i_spark.audit.runs import list_runs

        return list_runs(self.histories)
