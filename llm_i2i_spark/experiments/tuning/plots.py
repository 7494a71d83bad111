"""The plots of a search, as SVG: its trials in order, and one panel for each option."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from llm_i2i_spark.backbones.search_space import Choice, Range
from llm_i2i_spark.evaluate.report.drawing import INK, QUIET, color_of, drawn_axes, svg_of
from llm_i2i_spark.experiments.tuning.result import TuningResult
from llm_i2i_spark.experiments.tuning.space import SearchedOption
from llm_i2i_spark.experiments.tuning.trial import Trial
from llm_i2i_spark.experiments.tuning.written_space import setting_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEW_DECADES = 300
"""Below this ratio of its ends a logarithmic axis has ticks at 1, 2 and 5, not at powers of ten
alone.
"""


def plot_history(result: TuningResult) -> str:
    """The value of each trial with its interval, and the best value so far."""
    trials = [trial for trial in result.trials if trial.value is not None]
    with drawn_axes(6.9, 2.9) as (figure, axes):
        for trial in trials:
            if trial.interval:
                ends = [trial.number, trial.number], list(trial.interval)
                axes.plot(*ends, color=color_of(0), lw=1, alpha=0.6, solid_capstyle="butt")
        numbers = [trial.number for trial in trials]
        axes.step(numbers, _best_so_far(trials), color=color_of(1), lw=1.8, where="post")
        _dots(axes, result, [float(number) for number in numbers], trials)
        axes.set_xlabel("trial", color=QUIET)
        axes.set_ylabel(result.objective.label, color=QUIET)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12))
        return svg_of(figure, f"{result.objective.label} by trial")


def plot_option(result: TuningResult, option: SearchedOption) -> str:
    """The value of each trial over that of one option; trials whose value lies outside of what is
    searched are left out.
    """
    trials = [
        trial
        for trial in result.trials
        if trial.value is not None and option.contains(trial.settings[option.key])
    ]
    values = [trial.settings[option.key] for trial in trials]
    with drawn_axes(3.3, 2.2) as (figure, axes):
        if isinstance(option.domain, Choice):
            labels = list(option.labels())
            places = [float(labels.index(setting_text(value))) for value in values]
            axes.set_xticks(range(len(labels)), labels)
            axes.set_xlim(-0.5, len(labels) - 0.5)
        else:
            places = [float(value) for value in values]
            _range_axis(axes, option.domain, option.whole)
        _dots(axes, result, places, trials)
        axes.set_ylim(*_value_limits(result.trials))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
        axes.set_xlabel(option.key, color=QUIET)
        return svg_of(figure, f"{result.objective.label} over {option.key}")


def _range_axis(axes: Axes, domain: Range, whole: bool) -> None:
    """The whole range, with room for dots at its ends."""
    if not domain.log:
        room = 0.04 * (domain.high - domain.low)
        axes.set_xlim(domain.low - room, domain.high + room)
        axes.xaxis.set_major_locator(MaxNLocator(integer=whole, nbins=5))
        return
    room = (domain.high / domain.low) ** 0.04
    axes.set_xscale("log")
    axes.set_xlim(domain.low / room, domain.high * room)
    few = domain.high / domain.low < FEW_DECADES
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def _value_limits(trials: Sequence[Trial]) -> tuple[float, float]:
    """The same for all panels, so that they compare."""
    values = [trial.value for trial in trials if trial.value is not None]
    room = 0.08 * (max(values) - min(values)) or 0.01
    return min(values) - room, max(values) + room


def _dots(
    axes: Axes, result: TuningResult, places: Sequence[float], trials: Sequence[Trial]
) -> None:
    for place, trial in zip(places, trials, strict=True):
        value = trial.value or 0.0
        is_best = trial.number == result.best.number
        axes.plot(
            [place],
            [value],
            marker="o",
            ms=7 if is_best else 5,
            color=color_of(1 if is_best else 0),
            lw=0,
            zorder=3,
        )
        if trial.number == result.current.number:
            axes.plot([place], [value], marker="o", ms=9, mfc="none", mec=INK, mew=1.4, lw=0)


def _best_so_far(trials: Sequence[Trial]) -> list[float]:
    best: list[float] = []
    for trial in trials:
        value = trial.value or 0.0
        best.append(max(value, best[-1]) if best else value)
    return best
