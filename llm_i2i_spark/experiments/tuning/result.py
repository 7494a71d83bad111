"""What a search found: its trials, the best of them, and the words that put it to use."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd
import yaml

from llm_i2i_spark.config.setting import nested
from llm_i2i_spark.evaluate.figures import aligned, html_table
from llm_i2i_spark.experiments.tuning.objective import Objective
from llm_i2i_spark.experiments.tuning.space import SearchedOption
from llm_i2i_spark.experiments.tuning.trial import Trial
from llm_i2i_spark.experiments.tuning.written_space import setting_text
from llm_i2i_spark.metrics.paired import Estimate

SHOWN = 10
"""Trials that the table in a terminal has at most, the best first."""


@dataclass(frozen=True)
class TuningResult:
    """The result of `Project.tune`.

    Attributes:
        objective: what was maximised.
        variant: what the indexes are made from.
        backbone: the item-to-item model.
        space: the options that were searched, with their values.
        trials: in order.
        current: the trial of the project's own settings.
        best: the trial of the highest value, the first of several; the current one if none is
            better.
        gain: of the best over the current settings, paired by user; None where they are the same.
        folder: of the study: Optuna's journal, `trials.csv` and the report.
    """

    objective: Objective
    variant: str
    backbone: str
    space: tuple[SearchedOption, ...]
    trials: tuple[Trial, ...]
    current: Trial
    best: Trial
    gain: Estimate | None
    folder: str

    @property
    def settings(self) -> dict[str, Any]:
        """The best settings, as `Project(settings=...)` takes them."""
        return dict(self.best.settings)

    @property
    def report(self) -> str:
        """Path of the HTML page with the plots."""
        return f"{self.folder}/report.html"

    @property
    def words(self) -> str:
        """The best settings as `--set` on the command line."""
        pairs = (f"{key}={setting_text(value)}" for key, value in self.best.settings.items())
        return " ".join(f"--set {shlex.quote(pair)}" for pair in pairs)

    @property
    def yaml(self) -> str:
        """The best settings as YAML for a configuration file."""
        return settings_yaml(self.best.settings)

    def to_pandas(self) -> pd.DataFrame:
        """A row a trial: number, value, ends of its interval, users, seconds, stages that ran,
        note, and a column for every searched option.
        """
        rows = [
            {
                "trial": trial.number,
                "value": trial.value,
                "ci_low": trial.interval[0] if trial.interval else None,
                "ci_high": trial.interval[1] if trial.interval else None,
                "users": trial.users,
                "seconds": round(trial.seconds, 1),
                "stages": " ".join(trial.stages),
                "note": self.note(trial),
                **trial.settings,
            }
            for trial in self.trials
        ]
        frame: pd.DataFrame = pd.DataFrame(rows)
        return frame

    def to_dict(self) -> dict[str, Any]:
        """For JSON: metric, system, space, trials, current and best settings, gain, report."""
        gain = self.gain and {"value": self.gain.value, "interval": self.gain.interval}
        return {
            "metric": self.objective.label,
            "variant": self.variant,
            "backbone": self.backbone,
            "space": {option.key: str(option.domain) for option in self.space},
            "trials": [trial.to_dict() for trial in self.trials],
            "current": self.current.to_dict(),
            "best": self.best.to_dict(),
            "gain": gain,
            "settings": self.settings,
            "report": self.report,
        }

    def lines(self) -> list[str]:
        """The best trials as an aligned table, and the best settings to paste."""
        table = aligned(self._cells())
        left = len(self.trials) - len(table) + 1
        more = [f"and {left} more in {self.folder}/trials.csv"] if left else []
        return [self._title(), *table, *more, "", *self.verdict(), "", *self._to_paste()]

    def verdict(self) -> list[str]:
        """What the search comes to, a sentence a line."""
        shown = self.objective.words
        if self.best is self.current or self.best.value is None:
            return ["No trial is better than the current settings."]
        sentence = (
            f"Trial {self.best.number} raises {self.objective.label} from"
            f" {shown(self.current.value or 0.0)} to {shown(self.best.value)}"
        )
        if self.gain is not None and self.gain.interval is not None:
            low, high = self.gain.interval
            style = f"+{self.objective.metric.number_format}"
            sentence += (
                f"; paired by user the gain is {self.gain.value:{style}} (95 % interval"
                f" {low:{style}} to {high:{style}})"
            )
        return [
            f"{sentence}.",
            "The best of several trials looks better where it was chosen than it is: expect less"
            " of it on the test fold.",
        ]

    def note(self, trial: Trial) -> str:
        """What there is to say of a trial."""
        marks = [
            word
            for word, one in (("current settings", self.current), ("best", self.best))
            if one.number == trial.number
        ]
        return "; ".join([*marks, *([trial.note] if trial.note else [])])

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        words = "".join(f"<p>{escape(line)}</p>" for line in self.verdict())
        table = html_table(self._cells(), self._title())
        return f"{table}{words}<pre>{escape(self.yaml)}</pre><p>report: {escape(self.report)}</p>"

    def _title(self) -> str:
        return (
            f"{self.objective.label} on the validation fold, {self.variant} on {self.backbone},"
            f" {self.current.users:,} users, {len(self.trials)} trials"
        )

    def _cells(self) -> list[tuple[str, ...]]:
        keys = [option.key for option in self.space]
        ranked = sorted(self.trials, key=lambda trial: (-(trial.value or -1.0), trial.number))
        chosen = ranked[:SHOWN]
        if self.current not in chosen:
            chosen = [*ranked[: SHOWN - 1], self.current]
        short = [key.removeprefix(f"i2i.{self.backbone}.") for key in keys]
        header = ("trial", self.objective.label, "95 % interval", *short, "")
        return [header, *(self._line(trial, keys) for trial in chosen)]

    def _line(self, trial: Trial, keys: list[str]) -> tuple[str, ...]:
        shown = self.objective.words
        value = "none" if trial.value is None else shown(trial.value)
        spread = " to ".join(map(shown, trial.interval)) if trial.interval else ""
        values = (setting_text(trial.settings[key]) for key in keys)
        return str(trial.number), value, spread, *values, self.note(trial)

    def _to_paste(self) -> list[str]:
        if self.best is self.current:
            return [f"report: {self.report}"]
        return [
            "The best settings, to put behind a command",
            f"  {self.words}",
            "or into a configuration file:",
            *(f"  {line}" for line in self.yaml.splitlines()),
            f"report: {self.report}",
        ]


def settings_yaml(settings: Mapping[str, Any]) -> str:
    """Settings by dotted key as nested YAML."""
    values: dict[str, Any] = {}
    for key, value in settings.items():
        _merge(values, nested(tuple(key.split(".")), _plain(value)))
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def _merge(target: dict[str, Any], source: Mapping[str, Any]) -> None:
    for key, value in source.items():
        if isinstance(value, Mapping) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = value


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
