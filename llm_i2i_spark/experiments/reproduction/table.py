"""A table of the paper on one data set: our figures beside the published ones, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llm_i2i_spark.evaluate.figures import Figure
from llm_i2i_spark.experiments.reproduction.figures import (
    FAILS,
    HOLDS,
    NOT_SEEN,
    UNTESTED,
    VERDICTS,
    WITHIN_CHANCE,
    Interval,
    TableFigure,
)
from llm_i2i_spark.experiments.reproduction.published import (
    DATA_TITLES,
    UNNAMED,
    PublishedTable,
    published_tables,
)
from llm_i2i_spark.experiments.reproduction.rows import ABLATION_TABLE, TableRow, rows_of

SHORT = ("recall@10", "ndcg@10")
"""The metrics that the terminal shows; the page has all."""


@dataclass(frozen=True)
class ReproducedTable:
    """A table on one data set.

    Attributes:
        data: name of the data set.
        published: the table of the paper.
        seeds: that the figures were made with.
        users: of the evaluation.
        rows: figures by metric, for each row.
        bare: rows without a single synthetic row, since the published rule kept none.
    """

    data: str
    published: PublishedTable
    seeds: tuple[int, ...]
    users: int
    rows: Mapping[TableRow, Mapping[str, TableFigure]]
    bare: tuple[TableRow, ...] = ()

    @property
    def title(self) -> str:
        """What the table shows, on which data."""
        return f"Table {self.published.number}, {self.published.title}: {self.data_title}"

    @property
    def data_title(self) -> str:
        """The data set, in words."""
        return DATA_TITLES.get(self.data, self.data)

    @property
    def caption(self) -> str:
        """What stands in it, in a line."""
        beside = self.published.data_of(self.data)
        other = "" if beside == self.data else ", which is another data set"
        if self.data == UNNAMED:
            other = " (name this log with --data, where it is one of the paper's)"
        seeds = f"seed{'' if len(self.seeds) == 1 else 's'} {', '.join(map(str, self.seeds))}"
        return f"{self.users:,} users, {seeds}; published: {DATA_TITLES[beside]}{other}"

    def cells(self, metrics: Sequence[str] | None = None) -> list[tuple[str, ...]]:
        """The cells of the table, a line a row and metric, the header first.

        Args:
            metrics: labels; None for those of the published table.
        """
        here = ("", "mode", "metric", "here", "95 % interval", "range of seeds", "gain")
        beside = ("95 % interval", "published", "its gain", "of the published gain")
        header: tuple[str, ...] = (*here, *beside)
        lines = [header]
        for row, figures in self.rows.items():
            for metric in metrics or self.published.metrics:
                lines.append((row.title, row.mode, metric, *self._words(row, figures[metric])))
        used = [column for column in range(len(header)) if any(line[column] for line in lines[1:])]
        return [tuple(line[column] for column in used) for line in lines]

    def paragraph(self) -> str:
        """What holds of the published gains, by rule, and which rows are nothing but the log."""
        return " ".join(one for one in (self._verdicts(), self._said_of_bare()) if one)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: a dictionary a row and metric."""
        return {
            "table": self.published.number,
            "data": self.data,
            "published_data": self.published.data_of(self.data),
            "seeds": list(self.seeds),
            "users": self.users,
            "paragraph": self.paragraph(),
            "rows": [
                {"title": row.title, "mode": row.mode, "metric": metric}
                | {"variant": row.variant, "backbone": row.backbone, "slice": row.part}
                | {"kept_no_synthetic_row": row in self.bare}
                | _entry(figure)
                for row, figures in self.rows.items()
                for metric, figure in figures.items()
            ],
        }

    def _said_of_bare(self) -> str:
        if not self.bare:
            return ""
        names = list(dict.fromkeys(row.title for row in self.bare))
        are = "is" if len(names) == 1 else "are"
        return (
            "The published rule (hard) kept no synthetic row: with it,"
            f" {'; '.join(names)} {are} the log as it is."
        )

    def _verdicts(self) -> str:
        gains = {
            (row, metric): figure
            for row, figures in self.rows.items()
            for metric, figure in figures.items()
            if figure.verdict and row not in self.bare
        }
        if not gains:
            return "No published gain can be compared with one made here."
        counts = Counter(figure.verdict for figure in gains.values())
        said = ", ".join(f"{counts[one]} {WORDS[one]}" for one in VERDICTS if counts[one])
        known = [one.covers_published_gain for one in gains.values()]
        inside = sum(one is True for one in known)
        text = f"Of {len(gains)} published gains over the log as it is, {said}."
        if any(one is not None for one in known):
            text += f" The intervals of {inside} hold the published gain itself."
        failed: dict[TableRow, list[str]] = {}
        for (row, metric), figure in gains.items():
            if figure.verdict == FAILS:
                failed.setdefault(row, []).append(metric)
        told = [
            f"{row.title}{f' ({row.mode})' if row.mode else ''} in"
            f" {_listed(metrics, self.published.metrics)}"
            for row, metrics in failed.items()
        ]
        return text + (f" What fails: {'; '.join(told)}." if told else "")

    def parts(self, metric: str = SHORT[0]) -> str:
        """How the method without each of its parts compares with the whole of it, in a sentence;
        empty for tables without ablations.

        Args:
            metric: label.
        """
        if self.published.number != ABLATION_TABLE:
            return ""
        values = {row: figures[metric] for row, figures in self.rows.items()}
        whole = next(one for row, one in values.items() if row.is_whole)
        said = [
            f"{_ratio(one.value, whole.value)} {row.title}"
            f" (published {_ratio(one.published, whole.published)})"
            for row, one in values.items()
            if row.is_ablation
        ]
        return (
            f"Compared with the whole method, {metric} changes by {', by '.join(said)}; these"
            " differences are not tested."
        )

    def _words(self, row: TableRow, figure: TableFigure) -> tuple[str, ...]:
        printed = _number(figure.published), _percent(figure.published_gain)
        spread = figure.range if len(self.seeds) > 1 else None
        return (
            _number(figure.value),
            _bounds(figure.interval, ".4f"),
            _bounds(spread, ".4f"),
            _percent(figure.gain),
            _bounds(figure.gain_interval, "+.1%"),
            *printed,
            figure.verdict,
        )


def make_table(
    number: int,
    data: str,
    seeds: tuple[int, ...],
    users: int,
    by_seed: Callable[[TableRow, str], tuple[Figure, ...]],
    bare: tuple[TableRow, ...] = (),
) -> ReproducedTable:
    """A table beside its published columns.

    Args:
        number: of the table.
        data: name of the data set.
        seeds: that the figures were made with.
        users: of the evaluation.
        by_seed: our figures of a row and a metric, in the order of the seeds; empty where there
            are none.
        bare: rows without a single synthetic row.
    """
    published = published_tables()[number]
    beside = published.data_of(data)

    def figure(row: TableRow, metric: str) -> TableFigure:
        before = row.baseline
        return TableFigure(
            by_seed=by_seed(row, metric),
            baseline=tuple(one["value"] for one in by_seed(before, metric)) if before else (),
            published=published.value(beside, row.key, metric),
            published_baseline=published.value(beside, before.key, metric) if before else None,
        )

    rows = {
        row: {metric: figure(row, metric) for metric in published.metrics}
        for row in rows_of(number)
    }
    return ReproducedTable(data, published, seeds, users, rows, bare)


WORDS = {
    HOLDS: "hold here (the same sign, and the interval leaves 0 out)",
    WITHIN_CHANCE: "have the same sign within chance",
    UNTESTED[True]: "have the same sign without a paired interval",
    UNTESTED[False]: "have the opposite sign without a paired interval",
    NOT_SEEN: "are not seen here (no gain, or the opposite within chance)",
    FAILS: "fail (the opposite, and the interval leaves 0 out)",
}
"""What a number of verdicts is called in a sentence."""


def _listed(metrics: Sequence[str], of: Sequence[str]) -> str:
    """Some metrics of a table, in words.

    >>> _listed(["ndcg@5", "ndcg@10"], ["recall@5", "ndcg@5", "ndcg@10"]), _listed(["r@5"], ["r@5"])
    ('ndcg@5, ndcg@10', 'every metric')
    """
    return "every metric" if len(metrics) == len(of) else ", ".join(metrics)


def _ratio(value: float | None, whole: float | None) -> str:
    """A relative difference; `unknown` without one of the values."""
    return "unknown" if value is None or not whole else f"{value / whole - 1:+.1%}"


def _entry(figure: TableFigure) -> dict[str, Any]:
    return {
        "value": figure.value,
        "interval": figure.interval,
        "range": figure.range,
        "gain": figure.gain,
        "gain_interval": figure.gain_interval,
        "published": figure.published,
        "published_gain": figure.published_gain,
        "verdict": figure.verdict,
        "by_seed": [dict(one) for one in figure.by_seed],
    }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{round(value, 3) + 0.0:+.1%}"  # no -0.0 %


def _bounds(bounds: Interval | None, style: str) -> str:
    return "" if bounds is None else f"{bounds[0]:{style}} to {bounds[1]:{style}}"
