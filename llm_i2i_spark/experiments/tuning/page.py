"""The report of a search as one HTML page: plots of its trials, the best settings, all figures."""

from __future__ import annotations

import re
from typing import Any

from llm_i2i_spark.config.config import Config
from llm_i2i_spark.evaluate.report.page import settings_shown
from llm_i2i_spark.evaluate.report.tables import Cell, PageTable
from llm_i2i_spark.evaluate.slices import SLICE_TITLES
from llm_i2i_spark.experiments.pages import render_experiment
from llm_i2i_spark.experiments.tuning.plots import plot_history, plot_option
from llm_i2i_spark.experiments.tuning.result import TuningResult
from llm_i2i_spark.experiments.tuning.trial import Trial
from llm_i2i_spark.experiments.tuning.written_space import setting_text


def render_search(result: TuningResult, config: Config) -> str:
    """The report as one HTML page: styles, plots and script inside, nothing fetched from elsewhere.

    Args:
        result: of the search.
        config: that all trials share.
    """
    metric, part = result.objective.metric, result.objective.part
    return render_experiment(
        "tuning.html.j2",
        result=result,
        better=result.best is not result.current,
        label=result.objective.label,
        title=(f"{metric.title}@{metric.k}" if metric.k else metric.title)
        + ("" if part == "all" else f" ({SLICE_TITLES[part]})"),
        shown=result.objective.words,
        history=plot_history(result),
        panels=[plot_option(result, option) for option in result.space],
        trials=_table(result),
        seed=config.seed,
        settings=settings_shown(config),
    )


def _table(result: TuningResult) -> PageTable:
    keys = [option.key for option in result.space]
    names = [_may_wrap(key.removeprefix(f"i2i.{result.backbone}.")) for key in keys]
    columns = ("trial", "", result.objective.label, "95 % interval", "seconds", *names)
    return PageTable(
        columns=columns,
        numeric=tuple(bool(name) for name in columns),
        lines=tuple(_line(result, trial, keys) for trial in result.trials),
        group=max(len(result.trials), 1),
    )


def _line(result: TuningResult, trial: Trial, keys: list[str]) -> tuple[Cell, ...]:
    shown = result.objective.words
    spread = " to ".join(map(shown, trial.interval)) if trial.interval else ""
    return (
        Cell(str(trial.number), trial.number),
        Cell(result.note(trial), result.note(trial)),
        Cell("", "") if trial.value is None else Cell(shown(trial.value), trial.value),
        Cell(spread, trial.interval[0] if trial.interval else ""),
        Cell(f"{trial.seconds:,.0f}", trial.seconds),
        *(_setting(trial.settings[key]) for key in keys),
    )


def _setting(value: Any) -> Cell:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return Cell(setting_text(value), value if is_number else setting_text(value))


def _may_wrap(key: str) -> str:
    """A key that a narrow column breaks at its dots and underscores."""
    return re.sub(r"([._])", "\\1\u200b", key)
