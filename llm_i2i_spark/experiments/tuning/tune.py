"""One search, from its arguments to its result: trial after trial until there are enough."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from llm_i2i_spark.backbones import find_backbone
from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.errors import ConfigError, require_at_least_one
from llm_i2i_spark.base.extras import require_packages
from llm_i2i_spark.base.files import write_atomically
from llm_i2i_spark.base.variants import VARIANTS, Variant, find_variant
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.experiments.tuning.objective import Objective, read_objective
from llm_i2i_spark.experiments.tuning.result import TuningResult
from llm_i2i_spark.experiments.tuning.space import SearchedOption, find_space
from llm_i2i_spark.experiments.tuning.trial import Trial, best_of
from llm_i2i_spark.experiments.tuning.trial_lake import (
    TrialLake,
    TunedProject,
    validation_config,
)
from llm_i2i_spark.experiments.tuning.written_space import setting_text
from llm_i2i_spark.lake.location import local_root
from llm_i2i_spark.lake.run_lock import lake_lock
from llm_i2i_spark.metrics.paired import Estimate

OnTrial = Callable[[Trial], None]
"""Called with each finished trial, when it is kept."""

GAIN = "gain"
"""Attribute of a study: the paired gain of one trial over another."""


def tune(
    project: TunedProject,
    metric: str,
    space: Mapping[str, Any] | str | Path | None = None,
    variant: str = "llm_i2i",
    backbone: str | None = None,
    trials: int = 20,
    on_trial: OnTrial | None = None,
) -> TuningResult:
    """Search for better settings of a variant and backbone; see `Project.tune`.

    Args:
        project: its settings are tried first.
        metric: what is maximised.
        space: what is searched.
        variant: what the indexes are made from.
        backbone: the item-to-item model; None for `i2i.backbone`.
        trials: how many there shall be in all, those of earlier calls counted.
        on_trial: called with each finished trial.

    Raises:
        UserError: a mistake that the user can mend.
        StageError: a trial failed.
    """
    for extra in ("tune", "report"):
        require_packages(extra)
    require_at_least_one("The number of trials", trials)
    objective, chosen = read_objective(metric), _searched_variant(variant)
    if backbone is not None:
        find_backbone(backbone)
    config = validation_config(project.config)
    lake = TrialLake(project, config, chosen, backbone or config.i2i.backbone)
    searched = find_space(config, chosen, lake.backbone, lake.stages, space)
    study = _study_name(lake, objective, searched)  # a missing log is told before anything is made
    root = local_root(config.lake)
    with lake_lock(root, f"tune {objective.label} --variant {variant} --backbone {lake.backbone}"):
        search = _Search(lake, objective, searched, study, on_trial or (lambda trial: None))
        return search.run(trials)


def _searched_variant(name: str) -> Variant:
    found = find_variant(name)
    if found not in VARIANTS:
        raise ConfigError(
            f"{name} is no variant to search, since it is made from others' settings; choose one of"
            f" {', '.join(variant.name for variant in VARIANTS)}."
        )
    return found


class _Search:
    """A search that goes on where its study stands."""

    def __init__(
        self,
        lake: TrialLake,
        objective: Objective,
        space: tuple[SearchedOption, ...],
        study: str,
        on_trial: OnTrial,
    ) -> None:
        from llm_i2i_spark.experiments.tuning.study import Study

        self._lake, self._objective, self._space = lake, objective, space
        self._on_trial = on_trial
        self._current = current_settings(lake.config, space)
        root = local_root(lake.config.lake)
        assert root is not None
        self._folder = root / "studies" / study
        self._study = Study(self._folder, space, lake.config.seed)

    def run(self, total: int) -> TuningResult:
        """Try until there are so many trials in all, and report."""
        self._tell_begin(total)
        trials = self._study.trials
        while len(trials) < total or self._trial_of(self._current, trials) is None:
            settings = self._current
            if self._trial_of(settings, trials) is not None:
                settings = self._study.propose()
            trial = self._try(len(trials), settings, trials)
            self._study.add(trial)
            trials.append(trial)
            self._tell(trial, trials, total)
            self._on_trial(trial)
            self._forget(trials)
        return self._result(tuple(trials))

    def _try(self, number: int, settings: Mapping[str, Any], trials: Sequence[Trial]) -> Trial:
        """Make and measure the index of some settings."""
        same = self._trial_of(settings, trials)
        if same is not None:
            note = f"as trial {same.number}"
            return replace(same, number=number, seconds=0.0, stages=(), note=note)
        started = time.monotonic()
        try:
            config = self._lake.with_settings(settings)
        except ConfigError as error:
            return Trial(number, settings, note=str(error))
        stages = self._lake.make(config)
        means, users = self._lake.measure([config], self._objective)
        value, interval = means.mean(0)
        seconds = time.monotonic() - started
        return Trial(number, settings, value, interval, users, seconds, stages)

    def _result(self, trials: tuple[Trial, ...]) -> TuningResult:
        current, best = self._trial_of(self._current, trials), best_of(trials)
        assert current is not None
        assert best is not None
        best = current if best.value == current.value else best
        variant, backbone = self._lake.system
        result = TuningResult(
            objective=self._objective,
            variant=variant,
            backbone=backbone,
            space=self._space,
            trials=trials,
            current=current,
            best=best,
            gain=None if best is current else self._gain(current, best),
            folder=str(self._folder),
        )
        _write(result, self._lake.config)
        return result

    def _gain(self, current: Trial, best: Trial) -> Estimate:
        """The paired gain of the best trial, kept with the study once it is known."""
        pair = [current.number, best.number]
        known = self._study.attributes.get(GAIN, {})
        if known.get("trials") != pair:
            configs = [self._lake.with_settings(one.settings) for one in (current, best)]
            means, _ = self._lake.measure(configs, self._objective)
            found = means.gain(1, 0)
            known = {"trials": pair, "value": found.value, "interval": found.interval}
            self._study.keep(GAIN, known)
        bounds = known["interval"]
        return Estimate(known["value"], None if bounds is None else (bounds[0], bounds[1]))

    def _forget(self, trials: Sequence[Trial]) -> None:
        """Keep the indexes of the current and the best settings alone: an index a trial would fill
        the disk.
        """
        kept = [self._current]
        best = best_of(trials)
        if best is not None:
            kept.append(dict(best.settings))
        self._lake.forget([self._lake.with_settings(one) for one in kept])

    def _tell_begin(self, total: int) -> None:
        done = len(self._study.trials)
        variant, backbone = self._lake.system
        log_message(
            f"searching {self._objective.label} of {variant} on {backbone}, on the validation fold:"
            f" {', '.join(f'{one.key}={one.domain}' for one in self._space)}"
        )
        if done >= total:
            log_message(
                f"the study has {done} trials already; ask for more than that to go on with it"
            )
        elif done:
            log_message(f"the study has {done} of {total} trials; it goes on with trial {done}")

    def _tell(self, trial: Trial, trials: Sequence[Trial], total: int) -> None:
        best = best_of(trials)
        values = ", ".join(f"{key}={setting_text(value)}" for key, value in trial.settings.items())
        found = trial.note if trial.value is None else self._objective.words(trial.value)
        so_far = ""
        if best is not None and best.value is not None:
            so_far = f", best {self._objective.words(best.value)} of trial {best.number}"
        log_message(
            f"trial {trial.number}, {len(trials)} of {max(total, len(trials))}:"
            f" {self._objective.label} {found}{so_far}, {trial.seconds:.0f} s ({values})"
        )

    @staticmethod
    def _trial_of(settings: Mapping[str, Any], trials: Sequence[Trial]) -> Trial | None:
        """The first trial with some settings."""
        return next((one for one in trials if dict(one.settings) == dict(settings)), None)


def current_settings(config: Config, space: Sequence[SearchedOption]) -> dict[str, Any]:
    """The values that the searched options have without a search, by dotted key."""
    values = {option.key: config.settings(option.key)[option.key] for option in space}
    return {key: tuple(one) if isinstance(one, list) else one for key, one in values.items()}


def _study_name(lake: TrialLake, objective: Objective, space: Sequence[SearchedOption]) -> str:
    """A name that another log, other options, another metric or another space change."""
    ranges = " ".join(f"{option.key}={option.domain}" for option in space)
    content = f"{objective.label} {ranges} {lake.identity(option.key for option in space)}"
    return "-".join((*lake.system, hashlib.sha256(content.encode()).hexdigest()[:12]))


def _write(result: TuningResult, config: Config) -> None:
    """Write the table and the report of a study."""
    from llm_i2i_spark.experiments.tuning.page import render_search

    table = result.to_pandas().to_csv(index=False)
    write_atomically(f"{result.folder}/trials.csv", table)
    write_atomically(result.report, render_search(result, config))
