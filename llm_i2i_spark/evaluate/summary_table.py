"""The few figures a run is judged by: as a dictionary for `summary.json`, and as a small table for
the terminal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llm_i2i_spark.evaluate.figures import (
    FigureGroup,
    aligned,
    figure_of,
    figure_table,
    rows_by_key,
)
from llm_i2i_spark.evaluate.metric_rows import MetricRow
from llm_i2i_spark.evaluate.systems import BASELINE, system_names
from llm_i2i_spark.metrics import NDCG, FillRate, Metric, RankingMetric, Recall

SUMMARY_SLICES = ("all", "long_tail")
SUMMARY_METRICS = (Recall, NDCG)
SUMMARY_LENGTH = 10
"""The length of list that a summary shows, or else the nearest one that was evaluated."""


def summary_table(rows: Sequence[MetricRow]) -> dict[str, Any]:
    """Recall and NDCG of every system, for all items and the long tail, with intervals and the gain
    over `real`.

    Args:
        rows: of one evaluation, as in the table `metrics`.

    Returns:
        `{"k", "protocol", "users", "variants": {system: {slice: {"recall@10": Figure, ...},
        "fill_rate": share}}}`, see `figures.Figure`; a system is its variant, or `variant ·
        backbone` where there are several backbones. Without rows, `{}`.
    """
    if not rows:
        return {}
    found = rows_by_key(rows)
    k = summary_length(rows)
    systems: dict[str, Any] = {}
    for system in system_names((row["variant"], row["backbone"]) for row in rows).values():
        parts: dict[str, Any] = {}
        for part in SUMMARY_SLICES:
            figures = {
                f"{kind.name}@{k}": figure_of(found, system, part, kind.name, k)
                for kind in SUMMARY_METRICS
                if (system, part, kind.name, k) in found
            }
            if figures:
                parts[part] = figures
        filled = found.get((system, "all", FillRate.name, 0))
        if filled is not None:
            parts[FillRate.name] = filled["value"]
        systems[system] = parts
    users = max(
        (row["n"] for row in rows if row["slice"] == "all" and row["name"] == Recall.name),
        default=0,
    )
    return {"k": k, "protocol": rows[0]["protocol"], "users": users, "variants": systems}


def summary_lines(summary: Mapping[str, Any]) -> list[str]:
    """What `summary_table` gave as aligned lines of text, a line a slice, metric and system;
    nothing for `{}`.
    """
    if not summary:
        return []
    groups = []
    for part in SUMMARY_SLICES:
        for kind in SUMMARY_METRICS:
            label = f"{kind.name}@{summary['k']}"
            figures = {
                system: parts[part][label]
                for system, parts in summary["variants"].items()
                if label in parts.get(part, {})
            }
            groups.append(FigureGroup(part, label, kind.number_format, figures))
    title = evaluation_title(summary["users"], summary["protocol"])
    return [title, *aligned(figure_table(groups, BASELINE))]


def evaluation_title(users: int, protocol: str) -> str:
    """What was evaluated, in a line."""
    return f"{users:,} users, protocol {protocol}, whole catalogue ranked"


def summary_metrics(metrics: Sequence[Metric]) -> list[RankingMetric]:
    """The ranking metrics that a comparison of many systems shows: each at the length of list
    nearest to 10.

    >>> from llm_i2i_spark.metrics import all_metrics
    >>> summary_metrics(all_metrics((5, 12, 200)))
    [Recall(12), NDCG(12), MRR()]
    """
    ranking = [metric for metric in metrics if isinstance(metric, RankingMetric)]
    nearest: dict[type[Metric], RankingMetric] = {}
    for metric in sorted(ranking, key=lambda metric: (abs(metric.k - SUMMARY_LENGTH), metric.k)):
        nearest.setdefault(type(metric), metric)
    return [metric for metric in ranking if nearest[type(metric)] == metric]


def summary_length(rows: Sequence[MetricRow]) -> int:
    """The length of list that a summary of these rows shows: 10, or the nearest to it."""
    return min(
        (row["k"] for row in rows if row["name"] == Recall.name),
        key=lambda k: (abs(k - SUMMARY_LENGTH), k),
        default=SUMMARY_LENGTH,
    )
