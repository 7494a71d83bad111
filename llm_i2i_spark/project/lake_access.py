"""What every part of a project works with: its settings, its tables and their histories."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from llm_i2i_spark.base.contracts import METRICS
from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.extras import optional_imports
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.location import lake_root, local_root, require_location
from llm_i2i_spark.lake.run_lock import lake_lock

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame

    from llm_i2i_spark.base.run_record import Histories
    from llm_i2i_spark.evaluate.metric_rows import MetricRow
    from llm_i2i_spark.lake.tables import Lake
    from llm_i2i_spark.pipeline.planner import System

    Frame = DataFrame | pd.DataFrame

AnyAccess = TypeVar("AnyAccess", bound="LakeAccess")


class LakeAccess:
    """The settings, tables and histories of a project; see `Project` for the arguments."""

    def __init__(
        self,
        root: str | Path | None = None,
        *,
        interactions: str | Path | Frame | None = None,
        items: str | Path | Frame | None = None,
        schema: str | None = None,
        settings: Mapping[str, Any] | None = None,
        config: Config | None = None,
    ) -> None:
        given: dict[str, Any] = {"lake.root": root, "lake.schema": schema}
        given |= {"ingest.interactions": interactions, "ingest.items": items}
        self._frames = {
            key.split(".")[1]: value for key, value in given.items() if _is_frame(value)
        }
        paths = {
            key: str(value)
            for key, value in given.items()
            if value is not None and not _is_frame(value)
        }
        self._config = load_config(base=config, overrides={**paths, **(settings or {})})
        self._shared: LakeAccess | None = None
        require_location(self._config.lake)

    @property
    def config(self) -> Config:
        """The effective configuration. A DataFrame given as a source is written when it is first
        asked for.
        """
        if self._frames:
            from llm_i2i_spark.lake.sources import save_source

            root = self.lake.root
            if root is None:
                raise ConfigError("A DataFrame as a source is kept as a table: name a root folder.")
            with self.lock("keeping a DataFrame as a table"):
                saved = {
                    f"ingest.{name}": save_source(self.lake.spark, root, name, frame)
                    for name, frame in self._frames.items()
                }
            self._frames = {}
            self._config = load_config(base=self._config, overrides=saved)
        return self._config

    def with_settings(self: AnyAccess, settings: Mapping[str, Any]) -> AnyAccess:
        """The same lake with some options changed.

        Args:
            settings: by dotted key.

        Raises:
            UserError: an option is unknown or does not fit.
        """
        other = type(self)(config=self.config, settings=settings)
        if (other._config.lake, other._config.spark) == (self._config.lake, self._config.spark):
            other._shared = self
        return other

    def lock(self, command: str) -> AbstractContextManager[None]:
        """Let no other process write the lake for the length of a block, where the lake is local;
        on an object store nothing is locked.

        Args:
            command: what those who wait are told.
        """
        return lake_lock(local_root(self._config.lake), command)

    @property
    def root(self) -> str | None:
        """The root of the lake as an absolute path or URI; None where it is a schema alone."""
        return lake_root(self._config.lake)

    @cached_property
    def lake(self) -> Lake:
        """The tables, with Spark: the active session, or a local one that is started now.

        Raises:
            MissingDependencyError: Spark, Java or Delta is not there.
        """
        if self._shared is not None:
            return self._shared.lake
        with optional_imports():
            from llm_i2i_spark.lake.session import log_file, open_session
            from llm_i2i_spark.lake.tables import Lake
        log = log_file(self._config.lake)
        return Lake(open_session(self._config.spark, log), self._config.lake)

    @property
    def histories(self) -> Histories:
        """Who knows the commits of the tables: delta-rs where they are local, Spark elsewhere."""
        if local_root(self._config.lake) is None:
            return self.lake
        from llm_i2i_spark.lake.delta_rs import DeltaRsLake

        return DeltaRsLake(self._config.lake)

    def table(self, name: str, version: int | None = None) -> DataFrame:
        """A table of the lake as a Spark DataFrame.

        Args:
            name: such as `item_index`.
            version: of the table; None for the latest.

        Raises:
            UserError: there is no such table or version.
        """
        from llm_i2i_spark.base.contracts import TABLES

        if name not in TABLES:
            raise ConfigError(f"There is no table {name}; the tables are {', '.join(TABLES)}.")
        return self.lake.read(name, version)

    def metric_rows(self, run_id: str) -> list[MetricRow]:
        """The rows of the table `metrics` of one evaluation; needs no Spark where the lake is
        local.

        Args:
            run_id: of the evaluation, as `runs` lists it.
        """
        if local_root(self._config.lake) is None:
            written = self.lake.read("metrics")
            rows: Any = written.where(written["run_id"] == run_id).collect()
            return [row.asDict() for row in rows]
        from llm_i2i_spark.lake.delta_rs import DeltaRsLake

        table = DeltaRsLake(self._config.lake).read("metrics", None, METRICS.names)
        found: Any = [row for row in table.to_pylist() if row["run_id"] == run_id]
        return list(found)

    def _systems(self) -> list[System]:
        """The systems that the lake holds an index of."""
        from llm_i2i_spark.pipeline.planner import systems_in

        return systems_in(self.histories.history("item_index"))


def _is_frame(value: object) -> bool:
    return value is not None and not isinstance(value, (str, Path))
