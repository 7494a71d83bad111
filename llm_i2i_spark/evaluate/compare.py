"""All systems of an evaluation side by side: intervals, paired gains over one of them, and a test
that allows for their number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.evaluate.figures import (
    Figure,
    FigureGroup,
    aligned,
    figure_table,
    html_table,
)
from llm_i2i_spark.evaluate.slices import COMPARED_SLICES, SLICES
from llm_i2i_spark.evaluate.systems import BASELINE, System, system_names
from llm_i2i_spark.metrics import RankingMetric
from llm_i2i_spark.metrics.paired import PairedMeans, SystemMeans, holm

SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Comparison:
    """Several systems against one of them.

    Every gain is paired by user, and the p-values are those of `metrics.paired.SystemMeans.p_value`
    (two-sided, from the resamples that the intervals come from), adjusted by Holm's procedure over
    all systems but the baseline, for each metric and slice by itself: below 0.05 in one metric and
    slice, the chance that any system without a true difference is among the significant ones is at
    most 5 %. Looking at several metrics or slices is not allowed for. With B resamples and m
    systems no adjusted p-value of the best is below 2 * m / (B + 1): raise the resamples where many
    are compared.

    Attributes:
        baseline: name of the system that the others are compared with.
        systems: names in order.
        users: users of the evaluation.
        figures: by slice, then label of the metric, then name of the system.
        number_formats: by label of the metric.
        notes: sentences that belong to the figures.
    """

    baseline: str
    systems: tuple[str, ...]
    users: int
    figures: Mapping[str, Mapping[str, Mapping[str, Figure]]]
    number_formats: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def groups(self) -> list[FigureGroup]:
        """The figures by slice and metric, as tables take them."""
        return [
            FigureGroup(part, label, self.number_formats[label], found)
            for part, metrics in self.figures.items()
            for label, found in metrics.items()
        ]

    def lines(self) -> list[str]:
        """Aligned text, a line a slice, metric and system, below a title."""
        return [self._title(), *self.notes, *aligned(self._cells())]

    def table(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines())

    def to_dict(self) -> dict[str, Any]:
        """For JSON: baseline, systems, users, notes, and figures by slice, metric and system."""
        figures = {
            part: {label: dict(found) for label, found in metrics.items()}
            for part, metrics in self.figures.items()
        }
        return {
            "baseline": self.baseline,
            "systems": list(self.systems),
            "users": self.users,
            "notes": list(self.notes),
            "figures": figures,
        }

    def to_pandas(self) -> pd.DataFrame:
        """A row a slice, metric and system, with the keys of `figures.Figure` as columns."""
        rows = [
            {"slice": part, "metric": label, "system": system, **figure}
            for part, metrics in self.figures.items()
            for label, found in metrics.items()
            for system, figure in found.items()
        ]
        frame: pd.DataFrame = pd.DataFrame(rows)
        return frame

    def __str__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        return html_table(self._cells(), " ".join((self._title(), *self.notes)))

    def _title(self) -> str:
        others = len(self.systems) - 1
        return (
            f"{self.users:,} users, {others} system{'' if others == 1 else 's'} against"
            f" {self.baseline}, p-values adjusted for their number"
        )

    def _cells(self) -> list[tuple[str, ...]]:
        return figure_table(self.groups(), self.baseline)


def compare_systems(
    means: PairedMeans,
    systems: Sequence[tuple[str, str]],
    metrics: Sequence[RankingMetric],
    baseline: tuple[str, str] | None = None,
    slices: Sequence[str] = COMPARED_SLICES,
) -> Comparison:
    """Compare every system with one of them, on the same users; see `Comparison`.

    Args:
        means: of the systems and metrics, in the order given here.
        systems: (variant, backbone) pairs.
        metrics: in the order of the means.
        baseline: one of the systems; without it the first whose variant is `real`, else the first.
        slices: which kinds of held-out items; those without a user are left out.

    Raises:
        ConfigError: the baseline is none of the systems.
    """
    names = system_names(systems)
    chosen = choose_baseline(systems, baseline)
    position = list(systems).index(chosen)
    figures: dict[str, dict[str, dict[str, Figure]]] = {}
    for part in slices:
        if not means.users[SLICES.index(part)]:
            continue
        figures[part] = {
            metric.label: _figures(means.of(SLICES.index(part), column), systems, position, names)
            for column, metric in enumerate(metrics)
        }
    return Comparison(
        baseline=names[System(*chosen)],
        systems=tuple(names.values()),
        users=int(means.users[SLICES.index("all")]),
        figures=figures,
        number_formats={metric.label: metric.number_format for metric in metrics},
    )


def choose_baseline(
    systems: Sequence[tuple[str, str]], asked: tuple[str, str] | None
) -> tuple[str, str]:
    """What the others are compared with: the system asked for, else the first whose variant is
    `real`, else the first.

    Raises:
        ConfigError: what is asked for is none of the systems.
    """
    if asked is None:
        return next((system for system in systems if system[0] == BASELINE), systems[0])
    if tuple(asked) not in [tuple(system) for system in systems]:
        there = ", ".join(" on ".join(system) for system in systems)
        raise ConfigError(
            f"The baseline {' on '.join(asked)} is not among the systems; choose one of {there}."
        )
    return asked


def _figures(
    means: SystemMeans,
    systems: Sequence[tuple[str, str]],
    baseline: int,
    names: Mapping[System, str],
) -> dict[str, Figure]:
    """One metric in one slice, by name of the system, the baseline among them."""
    others = [position for position in range(len(systems)) if position != baseline]
    p_values = [means.p_value(position, baseline) for position in others]
    adjusted = dict(zip(others, zip(p_values, holm(p_values), strict=True), strict=True))
    by_name = {names[System(*system)]: position for position, system in enumerate(systems)}
    found: dict[str, Figure] = {}
    for name in names.values():
        position = by_name[name]
        figure = _figure(means, position, baseline)
        if position in adjusted:
            p_value, holm_value = adjusted[position]
            figure |= {
                "p_value": p_value,
                "adjusted_p_value": holm_value,
                "significant": holm_value < SIGNIFICANCE,
            }
        found[name] = figure
    return found


def _figure(means: SystemMeans, position: int, baseline: int) -> Figure:
    value = means.mean(position)
    figure: Figure = {"value": value.value, "interval": _bounds(value.interval)}
    if position == baseline:
        return figure
    gain = means.gain(position, baseline)
    figure |= {"gain": gain.value, "gain_interval": _bounds(gain.interval)}
    relative = means.relative_gain(position, baseline)
    if relative is not None:
        figure |= {
            "relative_gain": relative.value,
            "relative_gain_interval": _bounds(relative.interval),
        }
    return figure


def _bounds(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else list(interval)
