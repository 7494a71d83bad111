"""What a reproduction found: every table and figure, for every data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llm_i2i_spark.evaluate.figures import aligned, html_table
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
)
from llm_i2i_spark.experiments.reproduction.rows import ABLATION_TABLE, TableRow
from llm_i2i_spark.experiments.reproduction.shapes import figure_sentence
from llm_i2i_spark.experiments.sweeps.result import Sweep, once

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

    def _said_of_bare(self) -> str:
        if not self.bare:
            return ""
        names = "; ".join(dict.fromkeys(row.title for row in self.bare))
        return (
            f"The published rule (hard) kept no synthetic row, {names} is the log as it is there."
        )

    def _verdicts(self) -> str:
        gains = {
            (row, metric): figure
            for row, figures in self.rows.items()
            for metric, figure in figures.items()
            if figure.verdict
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
        failed = [
            f"{row.title} ({row.mode}) in {metric}" if row.mode else f"{row.title} in {metric}"
            for (row, metric), figure in gains.items()
            if figure.verdict == FAILS
        ]
        return text + (f" What fails: {'; '.join(failed)}." if failed else "")

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


@dataclass(frozen=True)
class Reproduction:
    """Tables and figures of the paper, made on some data sets.

    Attributes:
        tables: one for each number and data set.
        figures: the sweeps of each figure, by its number and the data set.
        seconds: of wall clock that stages ran.
        evaluations: how many there are, and how many of them were found.
        report: path of the HTML page.
    """

    tables: tuple[ReproducedTable, ...]
    figures: Mapping[tuple[int, str], tuple[Sweep, ...]]
    seconds: float
    evaluations: tuple[int, int]
    report: str = ""

    def lines(self) -> list[str]:
        """Every table as aligned text beside the published one, with what holds."""
        lines = []
        for table in self.tables:
            shown = [one for one in SHORT if one in table.published.metrics]
            lines += [table.title, table.caption, *aligned(once(table.cells(shown)))]
            lines += [one for one in (table.paragraph(), table.parts()) if one] + [""]
        for (number, data), sweeps in self.figures.items():
            for sweep in sweeps:
                title = f"Figure {number}, {DATA_TITLES.get(data, data)}"
                lines += [title, *sweep.lines()[:-1], figure_sentence(sweep), ""]
        total, found = self.evaluations
        lines.append(f"{total} evaluations, {found} of them made before; {self.seconds:.0f} s")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the tables with a dictionary a row and metric, and the sweeps."""
        return {
            "report": self.report,
            "seconds": round(self.seconds, 1),
            "tables": [
                {
                    "table": table.published.number,
                    "data": table.data,
                    "published_data": table.published.data_of(table.data),
                    "seeds": list(table.seeds),
                    "users": table.users,
                    "paragraph": table.paragraph(),
                    "rows": [
                        {"title": row.title, "mode": row.mode, "metric": metric}
                        | {"variant": row.variant, "backbone": row.backbone, "slice": row.part}
                        | {"kept_no_synthetic_row": row in table.bare}
                        | _entry(figure)
                        for row, figures in table.rows.items()
                        for metric, figure in figures.items()
                    ],
                }
                for table in self.tables
            ],
            "figures": [
                {"figure": number, "data": data, **sweep.to_dict()}
                for (number, data), sweeps in self.figures.items()
                for sweep in sweeps
            ],
        }

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        return "".join(html_table(once(table.cells(SHORT)), table.title) for table in self.tables)


WORDS = {
    HOLDS: "hold here (the same sign, and the interval leaves 0 out)",
    WITHIN_CHANCE: "have the same sign within chance",
    UNTESTED[True]: "have the same sign without a paired interval",
    UNTESTED[False]: "have the opposite sign without a paired interval",
    NOT_SEEN: "are not seen here (no gain, or the opposite within chance)",
    FAILS: "fail (the opposite, and the interval leaves 0 out)",
}
"""What a number of verdicts is called in a sentence."""


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
