"""The few figures a run is judged by: as a dictionary for `summary.json`, and as a small table for
the terminal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llm_i2i_spark.evaluate.accuracy import BASELINE, MetricRow

HEADLINE_SLICES = ("all", "long_tail")
HEADLINE_METRICS = ("recall", "ndcg")
FIRST_VARIANTS = (BASELINE, "llm_i2i")
SLICE_WORDS = {
    "all": "all items",
    "long_tail": "long tail",
    "long_tail_train": "long tail (training fold)",
    "head": "head",
    "new": "new items",
}

Figures = Mapping[tuple[str, str, str, int], MetricRow]
"""Rows by (series, slice, name, k)."""


def headline(rows: Sequence[MetricRow]) -> dict[str, Any]:
    """Recall and NDCG of every variant, for all items and the long tail, with intervals and the
    gain over `real`.

    Args:
        rows: of one evaluation, as in the table `metrics`.

    Returns:
        `{"k", "protocol", "users", "variants": {variant: {slice: {"recall@10": {"value",
        "interval", "gain", "gain_interval", "relative_gain", "relative_gain_interval",
        "significant"}, ...}, "fill_rate": share}}}`. The gain keys stand only where there is a
        baseline; `significant` says that the interval of the gain leaves 0 out. Two backbones in
        one evaluation are told apart as `variant (backbone)`. Without rows, `{}`.
    """
    if not rows:
        return {}
    found = figures(rows)
    k = headline_k(rows)
    variants: dict[str, Any] = {}
    for series in series_names(rows).values():
        parts: dict[str, Any] = {}
        for part in HEADLINE_SLICES:
            if (series, part, "recall", k) in found:
                parts[part] = {
                    f"{name}@{k}": _figure(found, series, part, name, k)
                    for name in HEADLINE_METRICS
                }
        if (series, "all", "fill_rate", 0) in found:
            parts["fill_rate"] = found[series, "all", "fill_rate", 0]["value"]
        variants[series] = parts
    users = max(
        (row["n"] for row in rows if row["slice"] == "all" and row["name"] == "recall"), default=0
    )
    return {"k": k, "protocol": rows[0]["protocol"], "users": users, "variants": variants}


def comparison_lines(summary: Mapping[str, Any]) -> list[str]:
    """What `headline` gave as aligned lines of text, a line a slice, measure and variant; nothing
    for `{}`.
    """
    if not summary:
        return []
    cells: list[tuple[str, ...]] = [("", "", "variant", "value", "95 % interval", "gain over real")]
    for part in HEADLINE_SLICES:
        for metric in (f"{name}@{summary['k']}" for name in HEADLINE_METRICS):
            label = (SLICE_WORDS[part], metric)
            for variant, parts in summary["variants"].items():
                if part in parts:
                    cells.append((*label, variant, *_figure_words(parts[part][metric])))
                    label = ("", "")
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    title = f"{summary['users']:,} users, protocol {summary['protocol']}, whole catalogue ranked"
    return [
        title,
        *(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in cells
        ),
    ]


def figures(rows: Sequence[MetricRow]) -> dict[tuple[str, str, str, int], MetricRow]:
    """The rows by (series, slice, name, k), a series being named as in `series_names`."""
    names = series_names(rows)
    return {
        (names[row["variant"], row["backbone"]], row["slice"], row["name"], row["k"]): row
        for row in rows
    }


def series_names(rows: Sequence[MetricRow]) -> dict[tuple[str, str], str]:
    """What each series is called: its variant, with the backbone where there are several; `real`
    first, then `llm_i2i`.
    """
    series = sorted(
        {(row["variant"], row["backbone"]) for row in rows},
        key=lambda pair: (pair[1], _place(pair[0]), pair[0]),
    )
    several = len({backbone for _, backbone in series}) > 1
    return {
        (variant, backbone): f"{variant} ({backbone})" if several else variant
        for variant, backbone in series
    }


def headline_k(rows: Sequence[MetricRow]) -> int:
    """10 where it was evaluated, else the nearest length of list that was."""
    return min(
        (row["k"] for row in rows if row["name"] == "recall"),
        key=lambda k: (abs(k - 10), k),
        default=10,
    )


def _place(variant: str) -> int:
    return FIRST_VARIANTS.index(variant) if variant in FIRST_VARIANTS else len(FIRST_VARIANTS)


def _figure(found: Figures, series: str, part: str, name: str, k: int) -> dict[str, Any]:
    row = found[series, part, name, k]
    figure: dict[str, Any] = {"value": row["value"], "interval": interval(row)}
    gain, relative = (
        found.get((series, part, f"{name}_{kind}", k)) for kind in ("gain", "relative_gain")
    )
    if gain is not None:
        figure |= {
            "gain": gain["value"],
            "gain_interval": interval(gain),
            "significant": is_significant(gain),
        }
    if relative is not None:
        figure |= {"relative_gain": relative["value"], "relative_gain_interval": interval(relative)}
    return figure


def interval(row: MetricRow) -> list[float] | None:
    """The 95 % interval of a row; None where it has none."""
    low, high = row["ci_low"], row["ci_high"]
    return None if low is None or high is None else [low, high]


def is_significant(gain: MetricRow) -> bool:
    """Whether the 95 % interval of a gain leaves 0 out."""
    bounds = interval(gain)
    return bounds is not None and (bounds[0] > 0 or bounds[1] < 0)


def _figure_words(figure: Mapping[str, Any]) -> tuple[str, str, str]:
    value = f"{figure['value']:.4f}"
    bounds = figure["interval"]
    spread = f"{bounds[0]:.4f} to {bounds[1]:.4f}" if bounds else ""
    if "gain" not in figure:
        return value, spread, ""
    if "relative_gain" not in figure:
        return value, spread, f"{figure['gain']:+.4f}"
    around = figure.get("relative_gain_interval")
    gain = f"{figure['relative_gain']:+.1%}" + (
        f" ({around[0]:+.1%} to {around[1]:+.1%})" if around else ""
    )
    return value, spread, gain if figure["significant"] else f"{gain}, within chance"
