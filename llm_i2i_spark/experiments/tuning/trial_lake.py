"""The trials of a search in the lake of the project's experiments.

What does not depend on what is searched (the ingested log, fine-tuned models, proposals) is made
once and found by its fingerprint. The project's own tables are not touched: lookups and the next
run find them as they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Protocol

from llm_i2i_spark.base.contract import result_name
from llm_i2i_spark.base.errors import ConfigError, TableNotFoundError
from llm_i2i_spark.base.external_input import ExternalInput
from llm_i2i_spark.base.json_digest import json_digest
from llm_i2i_spark.base.run_record import new_run_id
from llm_i2i_spark.base.stage import Stage
from llm_i2i_spark.base.variants import Variant
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.evaluate.settings import check_holdout
from llm_i2i_spark.evaluate.stage import STAGE as EVALUATE
from llm_i2i_spark.experiments.experiment_lake import VALIDATION, experiment_lake
from llm_i2i_spark.experiments.tuning.measure import TriedIndex, measure
from llm_i2i_spark.experiments.tuning.objective import Objective
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lake.location import local_root
from llm_i2i_spark.lake.old_versions import remove_old_versions
from llm_i2i_spark.lake.tables import Lake
from llm_i2i_spark.metrics.paired import SystemMeans
from llm_i2i_spark.pipeline.find_results import find_version
from llm_i2i_spark.pipeline.pinned_inputs import PinnedInputs
from llm_i2i_spark.pipeline.plan import Plan, PlannedResult
from llm_i2i_spark.pipeline.planner import make_plan
from llm_i2i_spark.pipeline.runner import run_plan
from llm_i2i_spark.pipeline.stages import stages_for


class TunedProject(Protocol):
    """What a search needs of a project."""

    @property
    def config(self) -> Config:
        """The settings that the search starts from."""

    @property
    def lake(self) -> Lake:
        """The tables, whose Spark session the trials use."""


def validation_config(config: Config) -> Config:
    """The settings that all trials share: those of a project, the lake of its experiments, and
    the validation fold.

    Raises:
        ConfigError: the lake is no local folder, or there is no validation fold.
    """
    root = local_root(config.lake)
    if root is None:
        raise ConfigError(
            "A search keeps its trials in files: set lake.root to a folder (on Databricks one"
            " below /Volumes)."
        )
    found = load_config(base=config, overrides=experiment_lake(str(root)) | VALIDATION)
    check_holdout(found)
    return found


class TrialLake:
    """The tables of the trials.

    Args:
        project: whose session is used, when there is something to do.
        config: from `validation_config`.
        variant: what the index is made from.
        backbone: the item-to-item model, by name.
    """

    def __init__(
        self, project: TunedProject, config: Config, variant: Variant, backbone: str
    ) -> None:
        self._project, self.config = project, config
        self.variant, self.backbone = variant, backbone
        self.stages = stages_for(config, [(variant, backbone)], last="index")
        self._histories = DeltaRsLake(config.lake)
        self._inputs = _SameLog(project, config)

    @cached_property
    def _lake(self) -> Lake:
        return Lake(self._project.lake.spark, self.config.lake)

    @property
    def system(self) -> tuple[str, str]:
        """Variant and backbone, by name."""
        return self.variant.name, self.backbone

    def identity(self, searched: Iterable[str]) -> str:
        """Hex sha256 of all that a trial depends on beside what is searched: the log, the options,
        the code.

        Args:
            searched: keys of the options that are searched.
        """
        without = set(searched)
        content = [
            {
                "stage": planned.stage.name,
                "external_inputs": {
                    name: one.digest for name, one in result.external_inputs.items()
                },
                "settings": {
                    key: value
                    for key, value in result.ingredients.settings.items()
                    if key not in without
                },
                "code": result.ingredients.code_digest,
            }
            for planned in self._plan(self.config).stages
            for result in planned.results
        ]
        measured = self.config.settings(*EVALUATE.settings)
        content.append({key: value for key, value in measured.items() if key not in without})
        content.append({"code": EVALUATE.code_digest({})})
        return json_digest(content)

    def with_settings(self, settings: Mapping[str, Any]) -> Config:
        """The settings of one trial.

        Raises:
            ConfigError: the settings do not fit together.
        """
        return load_config(base=self.config, overrides=settings)

    def make(self, config: Config) -> tuple[str, ...]:
        """Make the index of a trial.

        Args:
            config: from `with_settings`.

        Returns:
            The stages that had to run.
        """
        plan = self._plan(config)
        wanted = tuple(planned for planned in plan.stages if not planned.up_to_date)
        if wanted:
            run_plan(self._lake, replace(plan, stages=wanted), new_run_id(), lambda outcome: None)
        return tuple(planned.stage.name for planned in wanted)

    def measure(self, configs: Sequence[Config], objective: Objective) -> tuple[SystemMeans, int]:
        """The metric of the indexes of some trials on the same users; an index that is not there
        any more is made again.

        Args:
            configs: from `with_settings`.
            objective: metric and slice.

        Returns:
            The means in the order of the settings, and how many users there are.
        """
        tried = []
        for config in configs:
            version = self._version_of(config)
            if version is None:
                self.make(config)
                version = self._version_of(config)
            assert version is not None
            tried.append(TriedIndex(config, version))
        return measure(self._lake, self.system, tried, objective)

    def forget(self, kept: Sequence[Config]) -> None:
        """Remove the files of earlier trials, but for the indexes of some.

        Args:
            kept: settings of the trials whose indexes stay.
        """
        versions = [version for version in map(self._version_of, kept) if version is not None]
        for stage in self.stages:
            for table in stage.writes:
                keep = versions if table == "item_index" else []
                remove_old_versions(self._histories.path(table), keep)

    def _plan(self, config: Config) -> Plan:
        system = (self.variant, self.backbone)
        return make_plan(self._histories, config, [system], self.stages, self._inputs)

    def _version_of(self, config: Config) -> int | None:
        """The version of `item_index` that holds the index of some settings; None where none does
        that can still be read.
        """
        result = self._index_result(config)
        name = result_name("item_index", result.scope)
        expected = {name: result.ingredients.fingerprint}
        history = self._histories.history("item_index")
        version = find_version(history, expected, {name: result.scope})
        try:
            lost = version is not None and self._histories.lost_files("item_index", version)
        except TableNotFoundError:
            return None
        return None if lost else version

    def _index_result(self, config: Config) -> PlannedResult:
        found = (one for one in self._plan(config).stages if one.stage.name == "index")
        return next(found).results[0]


class _SameLog(PinnedInputs):
    """The log as the search found it when it began, whatever is written to it meanwhile."""

    def __init__(self, project: TunedProject, config: Config) -> None:
        super().__init__(lambda: project.lake.spark)
        self._config = config

    def of(self, stage: Stage, config: Config) -> Mapping[str, ExternalInput]:
        """The inputs of a stage by name."""
        return super().of(stage, self._config if stage.name == "ingest" else config)
