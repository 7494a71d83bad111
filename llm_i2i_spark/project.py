"""The front door: a project is a lake of tables and everything that can be done with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.errors import ConfigError, MissingDependencyError
from llm_i2i_spark.base.run_record import new_run_id
from llm_i2i_spark.base.variants import DEFAULT_VARIANTS, find_variants
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.location import lake_root, local_root, require_location
from llm_i2i_spark.project_run import ProjectRun

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame

    from llm_i2i_spark.base.run_record import Histories
    from llm_i2i_spark.lake.tables import Lake
    from llm_i2i_spark.pipeline.plan import Plan, System

    Frame = DataFrame | pd.DataFrame


class Project:
    """A click log, its catalogue, and all tables that are made from them.

    Args:
        root: folder or URI of the tables.
        interactions: the click log: a path, a table name, or a DataFrame (Spark or pandas), which
            is written once as a table, so that it has a version.
        items: the catalogue, likewise; None without one.
        schema: catalog.schema in which the tables are registered.
        settings: further options by dotted key, such as `{"sft.alpha": 2}`.
        config: a whole configuration, below the other arguments.

    Raises:
        UserError: an option is unknown or does not fit, or nothing says where the tables go.

    Example:
        >>> project = Project("my_lake", interactions=clicks, items=catalogue)  # doctest: +SKIP
        >>> project.run(variants=("real", "llm_i2i"))  # doctest: +SKIP
    """

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
            saved = {
                f"ingest.{name}": save_source(self.lake.spark, root, name, frame)
                for name, frame in self._frames.items()
            }
            self._frames = {}
            self._config = load_config(base=self._config, overrides=saved)
        return self._config

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
        try:
            from llm_i2i_spark.lake.session import log_file, open_session
            from llm_i2i_spark.lake.tables import Lake
        except ImportError as error:
            raise MissingDependencyError(
                f"This needs Spark ({error}): pip install 'llm-i2i-spark[local]' (on a cluster that"
                " brings Spark: 'llm-i2i-spark[spark]')."
            ) from None
        log = log_file(self._config.lake)
        log_message(f"starting Spark; its own words go to {log}")
        return Lake(open_session(self._config.spark, log), self._config.lake)

    @property
    def histories(self) -> Histories:
        """Who knows the commits of the tables: delta-rs where they are local, Spark elsewhere."""
        if local_root(self._config.lake) is None:
            return self.lake
        from llm_i2i_spark.lake.delta_rs import DeltaRsLake

        return DeltaRsLake(self._config.lake)

    def explain(
        self,
        variants: Sequence[str] = DEFAULT_VARIANTS,
        backbones: Sequence[str] | None = None,
        first: str | None = None,
        last: str | None = None,
        force: bool = False,
    ) -> Plan:
        """What `run` with the same arguments would do, and why, before anything runs.

        Args:
            variants: what indexes are made from.
            backbones: the item-to-item models; None for `i2i.backbone`.
            first: first stage to look at.
            last: last stage to look at.
            force: look at everything as if it had to be made.

        Raises:
            UserError: a name is unknown, or a table that is needed is not there.
        """
        from llm_i2i_spark.pipeline.stages import stages_for

        chosen = find_variants(variants)
        systems = [(variant, name) for name in self._backbones(backbones) for variant in chosen]
        stages = stages_for(self.config, chosen, first, last)
        return self._plan(systems, [stage.name for stage in stages], force)

    def run(
        self,
        variants: Sequence[str] = DEFAULT_VARIANTS,
        backbones: Sequence[str] | None = None,
        first: str | None = None,
        last: str | None = None,
        force: bool = False,
    ) -> ProjectRun:
        """Make what these variants and backbones need; what is up to date is left alone.

        Results of other variants and backbones stay as they are.

        Args:
            variants: what indexes are made from.
            backbones: the item-to-item models; None for `i2i.backbone`.
            first: first stage to look at.
            last: last stage to run.
            force: run also what is up to date.

        Raises:
            UserError: a mistake that the user can mend.
            StageError: a stage failed on data or in a worker.
        """
        plan = self.explain(variants, backbones, first, last, force)
        return self._run(plan, variants, self._backbones(backbones))

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

    def _backbones(self, names: Sequence[str] | None) -> tuple[str, ...]:
        return tuple(dict.fromkeys(names or (self._config.i2i.backbone,)))

    def _plan(self, systems: Sequence[System], stages: Sequence[str], force: bool) -> Plan:
        from llm_i2i_spark.pipeline.plan import make_plan
        from llm_i2i_spark.pipeline.stages import STAGES

        chosen = [stage for stage in STAGES if stage.name in stages]
        return make_plan(self.histories, self.config, systems, chosen, force)

    def _run(self, plan: Plan, variants: Sequence[str], backbones: Sequence[str]) -> ProjectRun:
        from llm_i2i_spark.pipeline.runner import run_plan, skip_plan

        run_id = new_run_id()
        outcomes = skip_plan(plan) if plan.up_to_date else run_plan(self.lake, plan, run_id)
        return ProjectRun.of(self, run_id, variants, backbones, outcomes)


def _is_frame(value: object) -> bool:
    return value is not None and not isinstance(value, (str, Path))
