"""Methods that commands call and `Project` does not have yet; each goes when `Project` has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.config.i2i import I2iConfig
from llm_i2i_spark.project import Project


def backbone_names() -> tuple[str, ...]:
    """The names of all backbones."""
    return get_args(I2iConfig.model_fields["backbone"].annotation)


@dataclass(frozen=True)
class Figures:
    """Something to show."""

    values: dict[str, Any]
    text: list[str]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return self.values

    def lines(self) -> list[str]:
        """As a person reads it."""
        return self.text


class PendingProject(Project):
    """The commands of today by the interface to come."""

    def lookup(
        self,
        items: Sequence[str],
        k: int,
        variant: str | None = None,
        backbone: str | None = None,
        version: int | None = None,
    ) -> list[Any]:
        """Suggestions."""
        from llm_i2i_spark.serving.index_reader import index_location
        from llm_i2i_spark.serving.lookup import Lookup

        config = self.config
        location, merge = index_location(config.lake), config.index
        lookup = Lookup.open(location, variant, backbone, version, merge.recent_items, merge.decay)
        return list(lookup.recommend(items, k))

    def publish(
        self,
        target: str,
        variant: str | None = None,
        backbone: str | None = None,
        version: int | None = None,
    ) -> Any:
        """Publish the index."""
        from llm_i2i_spark.serving.publish import check, publish

        check(target)
        index = self.root or self.table("item_index", version)
        return publish(index, target, variant, backbone, version)

    def index_export(self, out: str, **index: Any) -> int:
        """Write the index."""
        return int(self.publish(out, **index).rows)

    def rollback(self, target: str) -> Any:
        """Serve the index before."""
        from llm_i2i_spark.serving.publish import rollback

        return rollback(target)

    def recommend(
        self, k: int, out: str, variant: str | None = None, backbone: str | None = None
    ) -> int:
        """Write the best items of every user."""
        from llm_i2i_spark.serving.recommendations import recommend_users, write_recommendations

        index, merge = self.table("item_index"), self.config.index
        users = recommend_users(
            index,
            self.table("interactions"),
            k,
            merge.recent_items,
            merge.decay,
            variant,
            backbone,
        )
        return write_recommendations(users, out)

    def evaluate_index(self, path: str, name: str) -> Figures:
        """Evaluate an index."""
        from llm_i2i_spark.evaluate.external_index import evaluate_external_index
        from llm_i2i_spark.evaluate.summary_table import summary_lines, summary_table

        frame = self.lake.spark.read.parquet(path)
        summary = summary_table(evaluate_external_index(self.lake, self.config, frame, name).rows)
        return Figures(summary, list(summary_lines(summary)))

    def trace(
        self,
        item: str,
        neighbor: str,
        variant: str = "llm_i2i",
        backbone: str = "swing",
        users: int = 20,
        version: int | None = None,
    ) -> Any:
        """Trace an edge."""
        from llm_i2i_spark.audit.trace import trace_edge

        return trace_edge(self.lake, self.config, item, neighbor, variant, backbone, users, version)

    def runs(self) -> list[Any]:
        """The history."""
        from llm_i2i_spark.audit.runs import list_runs

        return list_runs(self.histories)

    def __getattr__(self, name: str) -> Any:
        raise UserError(f"`{name}` is not there yet.")
