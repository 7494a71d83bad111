"""What an evaluation found, as a value to read, print, compare and hand on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.evaluate.compare import Comparison, compare_systems
from llm_i2i_spark.evaluate.figures import (
    Figure,
    FigureGroup,
    aligned,
    figure_of,
    figure_table,
    html_table,
    rows_by_key,
)
from llm_i2i_spark.evaluate.metric_rows import MetricRow
from llm_i2i_spark.evaluate.slices import COMPARED_SLICES, SLICES, require_slices
from llm_i2i_spark.evaluate.summary_table import evaluation_title, summary_metrics
from llm_i2i_spark.evaluate.systems import BASELINE, System, system_names
from llm_i2i_spark.metrics import Metric, RankingMetric
from llm_i2i_spark.metrics.paired import PairedMeans


@dataclass(frozen=True)
class Evaluation:
    """The figures of one or more systems on the same users.

    `evaluation["recall@10"]` is a value over all items, `evaluation["swing", "recall@10"]` that of
    one of several systems.

    Attributes:
        systems: (variant, backbone) pairs, in order.
        metrics: what was computed, in order.
        protocol: what the models had seen: `strict` or `refit`.
        means: of the ranking metrics, by slice and system, over the users and resamples of them.
        rows: like those of the table `metrics`.
        baseline: what the gains in the rows are over.
        notes: sentences that belong to the figures.
    """

    systems: tuple[System, ...]
    metrics: tuple[Metric, ...]
    protocol: str
    means: PairedMeans
    rows: list[MetricRow]
    baseline: str = BASELINE
    notes: tuple[str, ...] = ()

    @property
    def users(self) -> int:
        """Users whose held-out item was looked for."""
        return int(self.means.users[SLICES.index("all")])

    def compare(
        self,
        baseline: tuple[str, str] | str | None = None,
        metrics: Sequence[RankingMetric] | None = None,
        slices: Sequence[str] = COMPARED_SLICES,
    ) -> Comparison:
        """All systems against one of them, with paired gains and tests, see `Comparison`.

        Args:
            baseline: a system, or its name; without it the first of variant `real`, else the first.
            metrics: some of the ranking metrics; all without it.
            slices: which kinds of held-out items.

        Raises:
            ConfigError: the baseline is none of the systems, or a metric was not evaluated.
        """
        ranking = [metric for metric in self.metrics if isinstance(metric, RankingMetric)]
        chosen = self._system(baseline) if isinstance(baseline, str) else baseline
        shown = ranking if metrics is None else metrics
        missing = [metric.label for metric in shown if metric not in ranking]
        if missing:
            raise self._not_evaluated(missing[0])
        means = self.means.only([ranking.index(metric) for metric in shown])
        compared = compare_systems(means, self.systems, shown, chosen, slices)
        return replace(compared, notes=self.notes)

    def compare_all(self, slices: Sequence[str] = COMPARED_SLICES) -> Comparison:
        """`compare` with the baseline of the gains, for the metrics that a summary shows."""
        return self.compare(self.baseline, summary_metrics(self.metrics), slices)

    def __getitem__(self, key: str | tuple[str, str]) -> float:
        """The value of a metric over all items.

        Args:
            key: its label, such as `recall@10`; with several systems, the name of one before it.

        Raises:
            ConfigError: there is no such figure, or the label leaves open of which system.
        """
        if isinstance(key, str) and len(self.systems) > 1:
            names = ", ".join(system_names(self.systems).values())
            raise ConfigError(f"Say of which system, such as [{names.split(', ')[0]!r}, {key!r}].")
        system, label = key if isinstance(key, tuple) else (self._names()[0], key)
        chosen = self._system(system)
        for row in self.rows:
            at = f"{row['name']}@{row['k']}" if row["k"] else row["name"]
            if (row["variant"], row["backbone"], row["slice"], at) == (*chosen, "all", label):
                return row["value"]
        raise self._not_evaluated(label)

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a pandas DataFrame, with the columns of the table `metrics`."""
        columns = list(MetricRow.__annotations__)
        frame: pd.DataFrame = pd.DataFrame(self.rows, columns=columns)
        return frame

    def to_dict(self) -> dict[str, Any]:
        """For JSON: protocol, users, baseline, notes, users of each slice, and the figures of every
        system by slice and label of the metric, see `figures.Figure`.
        """
        systems: dict[str, dict[str, dict[str, Figure]]] = {name: {} for name in self._names()}
        for part in SLICES:
            for metric, figures in self._figures(part):
                for name, figure in figures.items():
                    systems[name].setdefault(part, {})[metric.label] = figure
        return {
            "protocol": self.protocol,
            "users": self.users,
            "baseline": self.baseline,
            "notes": list(self.notes),
            "users_by_slice": dict(zip(SLICES, self.means.users.tolist(), strict=True)),
            "systems": systems,
        }

    def title_lines(self) -> list[str]:
        """What was evaluated, and the notes."""
        return [evaluation_title(self.users, self.protocol), *self.notes]

    def figure_groups(self, slices: Sequence[str]) -> list[FigureGroup]:
        """The figures by slice and metric, as tables take them.

        Raises:
            ConfigError: there is no such slice.
        """
        require_slices(slices)
        return [
            FigureGroup(part, metric.label, metric.number_format, figures)
            for part in slices
            for metric, figures in self._figures(part)
        ]

    def lines(self, slices: Sequence[str] = COMPARED_SLICES) -> list[str]:
        """Aligned text, a line a slice, metric and system, below a title and the notes.

        Args:
            slices: some of `slices.SLICES`.
        """
        return [*self.title_lines(), *aligned(self._cells(slices))]

    def table(self, slices: Sequence[str] = COMPARED_SLICES) -> str:
        """The lines as one text."""
        return "\n".join(self.lines(slices))

    def __str__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        return html_table(self._cells(COMPARED_SLICES), " ".join(self.title_lines()))

    def _names(self) -> list[str]:
        return list(system_names(self.systems).values())

    def _system(self, name: str) -> System:
        found = {called: system for system, called in system_names(self.systems).items()}
        if name not in found:
            raise ConfigError(f"There is no system {name}; there are {', '.join(found)}.")
        return found[name]

    def _not_evaluated(self, label: str) -> ConfigError:
        labels = ", ".join(metric.label for metric in self.metrics)
        return ConfigError(f"{label} was not evaluated; there are {labels}.")

    def _cells(self, slices: Sequence[str]) -> list[tuple[str, ...]]:
        return figure_table(self.figure_groups(slices), self.baseline)

    def _figures(self, part: str) -> Iterator[tuple[Metric, dict[str, Figure]]]:
        """The metrics that a slice has, in order, each by name of the system."""
        found = rows_by_key(self.rows)
        for metric in self.metrics:
            figures = {
                name: figure_of(found, name, part, metric.name, metric.k)
                for name in self._names()
                if (name, part, metric.name, metric.k) in found
            }
            if figures:
                yield metric, figures
