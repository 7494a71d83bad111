"""Stand-ins for `Project`, `VARIANTS` and `BACKBONES` until they are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args

from llm_i2i_spark.base.errors import ConfigError, UserError
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.i2i import I2iConfig

if TYPE_CHECKING:
    from llm_i2i_spark.lake.tables import Lake


@dataclass(frozen=True)
class Variant:
    """A variant by its name."""

    name: str


VARIANTS = tuple(
    map(Variant, ("real", "llm_i2i", "no_generator", "no_discriminator", "no_threshold"))
)
DEFAULT_VARIANTS = ("real", "llm_i2i")


def find_variant(name: str) -> Variant:
    """The variant of a name."""
    names = [variant.name for variant in VARIANTS]
    if name not in names:
        raise ConfigError(f"There is no variant {name}; the variants are {', '.join(names)}.")
    return Variant(name)


def backbone_names() -> tuple[str, ...]:
    """The names of all backbones."""
    return get_args(I2iConfig.model_fields["backbone"].annotation)


@dataclass(frozen=True)
class Result:
    """Something to show."""

    values: dict[str, Any]
    text: list[str]

    @property
    def summary(self) -> dict[str, Any]:
        """Of a run."""
        return self.values

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return self.values

    def lines(self) -> list[str]:
        """As a person reads it."""
        return self.text


class Project:
    """The commands of today by the interface to come."""

    def __init__(self, *, config: Config) -> None:
        self._config = config

    @cached_property
    def _lake(self) -> Lake:
        from llm_i2i_spark.base.console import log_message
        from llm_i2i_spark.lake.session import log_file, open_session
        from llm_i2i_spark.lake.tables import Lake, require_location

        require_location(self._config.lake)
        log_message(f"starting Spark; its own words go to {log_file(self._config)}")
        return Lake(open_session(self._config), self._config.lake)

    def run(
        self,
        variants: Sequence[str],
        backbones: Sequence[str] | None,
        first: str | None,
        last: str | None,
        force: bool,
    ) -> Result:
        """Run stages."""
        from llm_i2i_spark.evaluate.headline import comparison_lines
        from llm_i2i_spark.pipeline.runner import run_stages, stages_for
        from llm_i2i_spark.pipeline.summary import summarize, write_summary

        stages = stages_for(self._config, variants, first, last)
        lake = self._lake
        run_id, outcomes = run_stages(lake, self._config, variants, stages, force=force)
        summary = summarize(lake, self._config, variants, run_id, outcomes)
        path = None if first and first == last else write_summary(lake, summary)
        lines = []
        if "metrics" in summary:
            table = comparison_lines(summary["metrics"])
            lines = ["", *table, "", f"report   {summary['report']}"]
        return Result(summary, [*lines, *([f"summary  {path}"] if path else [])])

    def lookup(
        self, items: Sequence[str], k: int, variant: str, backbone: str, version: int | None
    ) -> list[Any]:
        """Suggestions."""
        from llm_i2i_spark.index.lookup import lookup

        index = self._lake.read("item_index", version)
        return list(lookup(index, items, k, self._config.index, variant, backbone))

    def index_export(self, out: str, variant: str, backbone: str, version: int | None) -> int:
        """Write the index."""
        from llm_i2i_spark.index.export_file import export_file

        return export_file(self._lake.read("item_index", version), out, variant, backbone)

    def evaluate_index(self, path: str, name: str) -> Result:
        """Evaluate an index."""
        from llm_i2i_spark.evaluate.headline import comparison_lines, headline
        from llm_i2i_spark.evaluate.supplied import evaluate_index

        lake = self._lake
        rows = evaluate_index(lake, self._config, lake.spark.read.parquet(path), name)
        summary = headline(rows)
        return Result(summary, list(comparison_lines(summary)))

    def trace(
        self,
        item: str,
        neighbor: str,
        variant: str,
        backbone: str,
        users: int,
        version: int | None,
    ) -> Any:
        """Trace an edge."""
        from llm_i2i_spark.audit.trace import trace_edge

        return trace_edge(self._lake, self._config, item, neighbor, variant, backbone, users)

    def runs(self) -> list[Any]:
        """The history."""
        from llm_i2i_spark.audit.runs import list_runs

        return list_runs(self._lake)

    def __getattr__(self, name: str) -> Any:
        raise UserError(f"`{name}` is not there yet.")
