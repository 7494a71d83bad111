"""Two arms side by side, as a value to read, print and hand on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.evaluate.figures import aligned, html_table
from llm_i2i_spark.metrics.paired import Estimate
from llm_i2i_spark.online.sample_ratio import SampleRatio

NOTE = (
    "95 % intervals over users, none of them adjusted for the number of measures; a difference"
    " whose interval includes 0 is within chance"
)


@dataclass(frozen=True)
class ArmFigure:
    """One measure in both arms.

    Attributes:
        name: key in results.
        title: what tables show.
        control: value with its 95 % interval; None where there is nothing to divide by.
        treatment: likewise.
        difference: treatment / control - 1 with its 95 % interval; None where control is 0 or has
            no value.
        number_format: of the values.
    """

    name: str
    title: str
    control: Estimate | None
    treatment: Estimate | None
    difference: Estimate | None
    number_format: str

    @property
    def is_significant(self) -> bool:
        """Whether the interval of the difference leaves 0 out."""
        bounds = self.difference.interval if self.difference else None
        return bounds is not None and (bounds[0] > 0 or bounds[1] < 0)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: control, treatment and difference, each with value and interval."""
        parts = {
            "control": self.control,
            "treatment": self.treatment,
            "difference": self.difference,
        }
        values: dict[str, Any] = {name: _json(part) for name, part in parts.items()}
        return values | {"significant": self.is_significant}

    def cells(self) -> tuple[str, ...]:
        """A line of the table."""
        return (
            self.title,
            *estimate_cells(self.control, self.number_format),
            *estimate_cells(self.treatment, self.number_format),
            difference_words(self.difference, self.is_significant),
        )


@dataclass(frozen=True)
class ArmComparison:
    """The measures of an A/B test.

    `comparison["ctr"]` is an `ArmFigure`.

    Attributes:
        control: name of the arm that differences are over.
        treatment: name of the other.
        sample_ratio: users by arm, and whether they are as many as they should be.
        totals: by arm, the sums over its users: exposures, clicks, orders, amount.
        figures: in order; those of amounts and latencies only where the log has them.
        bad_rows: rows that did not count, by reason.
        other_rows: rows of arms that were not compared, by arm.
        users_in_several_arms: users who were left out for having rows in more than one arm.
    """

    control: str
    treatment: str
    sample_ratio: SampleRatio
    totals: Mapping[str, Mapping[str, float]]
    figures: tuple[ArmFigure, ...]
    bad_rows: Mapping[str, int]
    other_rows: Mapping[str, int]
    users_in_several_arms: int

    def __getitem__(self, name: str) -> ArmFigure:
        for figure in self.figures:
            if figure.name == name:
                return figure
        names = ", ".join(figure.name for figure in self.figures)
        raise ConfigError(f"There is no measure {name}; there are {names}.")

    def remarks(self) -> list[str]:
        """Sentences on what was left out, and on whether the arms can be compared at all."""
        said = [self.sample_ratio.sentence()]
        if self.bad_rows:
            reasons = ", ".join(f"{reason}: {rows:,}" for reason, rows in self.bad_rows.items())
            said.append(f"left out {sum(self.bad_rows.values()):,} rows ({reasons})")
        if self.users_in_several_arms:
            said.append(
                f"left out {self.users_in_several_arms:,} users with rows in more than one arm;"
                " if they are many, the test does not assign users"
            )
        if self.other_rows:
            arms = ", ".join(f"{arm}: {rows:,} rows" for arm, rows in self.other_rows.items())
            said.append(f"not compared: {arms}")
        return said

    def lines(self) -> list[str]:
        """Aligned text: users and totals, remarks, then a line a measure."""
        return [*self._counts(), *self.remarks(), *aligned(self._cells()), NOTE]

    def table(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines())

    def to_dict(self) -> dict[str, Any]:
        """For JSON: arms, users, sample ratio, totals, measures by name, what was left out."""
        return {
            "control": self.control,
            "treatment": self.treatment,
            "users": dict(zip(self._arms(), self.sample_ratio.users, strict=True)),
            "sample_ratio": {
                "expected": list(self.sample_ratio.expected),
                "p_value": self.sample_ratio.p_value,
                "mismatch": self.sample_ratio.is_mismatch,
            },
            "totals": {arm: dict(totals) for arm, totals in self.totals.items()},
            "measures": {figure.name: figure.to_dict() for figure in self.figures},
            "bad_rows": dict(self.bad_rows),
            "other_rows": dict(self.other_rows),
            "users_in_several_arms": self.users_in_several_arms,
            "remarks": self.remarks(),
        }

    def to_pandas(self) -> pd.DataFrame:
        """A row a measure: value, low and high of control, treatment and difference."""
        rows = []
        for figure in self.figures:
            row: dict[str, Any] = {"measure": figure.name}
            for part in ("control", "treatment", "difference"):
                estimate: Estimate | None = getattr(figure, part)
                low, high = (estimate and estimate.interval) or (None, None)
                row |= {part: estimate and estimate.value}
                row |= {f"{part}_low": low, f"{part}_high": high}
            rows.append(row)
        frame: pd.DataFrame = pd.DataFrame(rows)
        return frame

    def __str__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        return html_table(self._cells(), "; ".join([*self._counts(), *self.remarks()]))

    def _arms(self) -> tuple[str, str]:
        return self.control, self.treatment

    def _counts(self) -> list[str]:
        """Users and totals, a line an arm."""
        return [
            f"{arm}: {users:,} users, "
            + ", ".join(f"{total:,.0f} {name}" for name, total in self.totals[arm].items())
            for arm, users in zip(self._arms(), self.sample_ratio.users, strict=True)
        ]

    def _cells(self) -> list[tuple[str, ...]]:
        header = (
            "",
            self.control,
            "95 % interval",
            self.treatment,
            "95 % interval",
            f"{self.treatment} over {self.control}",
        )
        return [header, *(figure.cells() for figure in self.figures)]


def estimate_cells(estimate: Estimate | None, number_format: str) -> tuple[str, str]:
    """A value and its interval as text; a dash for what has no value."""
    if estimate is None:
        return "-", ""
    bounds = estimate.interval
    spread = f"{bounds[0]:{number_format}} to {bounds[1]:{number_format}}" if bounds else ""
    return format(estimate.value, number_format), spread


def difference_words(difference: Estimate | None, is_significant: bool) -> str:
    """A relative difference with its interval as text; empty where there is none."""
    if difference is None:
        return ""
    bounds = difference.interval
    if bounds is None:
        return f"{difference.value:+.2%}"
    doubt = "" if is_significant else ", within chance"
    return f"{difference.value:+.2%} ({bounds[0]:+.2%} to {bounds[1]:+.2%}){doubt}"


def _json(estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    return {
        "value": estimate.value,
        "interval": None if estimate.interval is None else list(estimate.interval),
    }
