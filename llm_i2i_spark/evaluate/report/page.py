"""The report of an evaluation as one HTML page, made from plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import yaml

from llm_i2i_spark import __version__
from llm_i2i_spark.base.pages import render_page
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.evaluate.compare import Comparison
from llm_i2i_spark.evaluate.figures import Figure, FigureGroup, RowsByKey, figure_of, rows_by_key
from llm_i2i_spark.evaluate.metric_rows import MetricRow
from llm_i2i_spark.evaluate.notes import SEEN_ITEMS_RANKED
from llm_i2i_spark.evaluate.report.blend_section import blend_context
from llm_i2i_spark.evaluate.report.case_studies import (
    CaseStudy,
    compared_systems,
    systems_shown,
)
from llm_i2i_spark.evaluate.report.making import Combining
from llm_i2i_spark.evaluate.report.mixtures import Mixture, reasons_text
from llm_i2i_spark.evaluate.report.tables import (
    Titles,
    exposure_table,
    gain_table,
    index_table,
    percent,
    ranking_table,
    shown,
    signed_percent,
)
from llm_i2i_spark.evaluate.slices import BUCKETS, SLICE_TITLES, USER_SLICES
from llm_i2i_spark.evaluate.summary_table import SUMMARY_LENGTH, summary_metrics
from llm_i2i_spark.evaluate.systems import System, system_names
from llm_i2i_spark.metrics import BeyondAccuracyMetric, FillRate, Metric, RankingMetric
from llm_i2i_spark.metrics.counts import IndexCounts
from llm_i2i_spark.metrics.reliability import Reliability

PAGE_SLICES = ("all", "long_tail", "head", "new")
FILLED_WORDS = {"all": "of all items have a neighbour", "long_tail": "of long-tail items have one"}


@dataclass(frozen=True)
class Report:
    """All that the report shows.

    Attributes:
        rows: metric rows of the run.
        metrics: those of the rows; ranking metrics of the first kind are the ones that sentences
            and plots speak of.
        systems: (variant, backbone) pairs, in order.
        shares: (system, bin, neighbors), neighbours by share of synthetic evidence.
        case_studies: items with their neighbours in the systems of `systems_shown`.
        run_id: of the run.
        versions: table versions that were read.
        config_digest: of the whole configuration.
        settings: the configuration as YAML, from `settings_shown`.
        titles: what people read for a variant; without one, its name.
        seconds: by stage, where they are known.
        losses: mean loss of each epoch by model, where they are known.
        reliability: of the confidences of each discriminator, where it is known.
        mixtures: of the blends among the systems.
        combining: how their combiners learned.
        comparison: of all systems, where there is more to compare than a pair.
        notes: sentences that belong to the figures.
    """

    rows: list[MetricRow]
    metrics: Sequence[Metric]
    systems: Sequence[tuple[str, str]]
    shares: pd.DataFrame
    case_studies: list[CaseStudy]
    run_id: str
    versions: Mapping[str, int]
    config_digest: str
    settings: str
    titles: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    losses: Mapping[str, Sequence[float]] = field(default_factory=dict)
    reliability: Mapping[str, Reliability] = field(default_factory=dict)
    mixtures: Sequence[Mixture] = ()
    combining: Mapping[System, Combining] = field(default_factory=dict)
    comparison: Comparison | None = None
    notes: Sequence[str] = ()


def settings_shown(config: Config) -> str:
    """The settings that shape a result, as YAML; paths of the lake and the session's settings (they
    may hold secrets) stay out.
    """
    return yaml.safe_dump(config.settings(), sort_keys=False, allow_unicode=True)


def render_report(report: Report) -> str:
    """The report as one HTML page: styles, plots and script inside, nothing fetched from
    elsewhere.
    """
    filters: dict[str, Callable[..., str]] = {
        "percent": percent,
        "signed_percent": signed_percent,
        "in_a_sentence": _in_a_sentence,
        "reasons": reasons_text,
    }
    context = report_context(report)
    return render_page("llm_i2i_spark.evaluate.report", "report.html.j2", context, filters)


def report_context(report: Report) -> dict[str, Any]:
    """What the template shows, by name: figures and words, tables, plots as SVG."""
    found, names = rows_by_key(report.rows), system_names(report.systems)
    main = _main_metric(report.metrics)
    compared = compared_systems(report.systems)
    before, after = (names[s] for s in compared) if compared else (next(iter(names.values())), None)
    slices = {
        part: SLICE_TITLES[part]
        for part in PAGE_SLICES
        if (before, part, main.name, main.k) in found
    }
    systems = _titles(report, names)
    # In the widest tables systems go by the short names that the table `metrics` has, too.
    short = {name: name for name in systems}
    return {
        "main": main,
        "label": f"{main.title}@{main.k}" if main.k else main.title,
        "protocol": report.rows[0]["protocol"],
        "users": found[before, "all", main.name, main.k]["n"],
        "words": systems,
        "before": before,
        "after": after,
        "verdicts": {part: _verdict(found, before, after, part, main) for part in slices},
        "shown": lambda value: shown(value, main),
        "slices": slices,
        "catalogue": max(
            (row["n"] for row in report.rows if row["name"] == FillRate.name), default=0
        ),
        "filled": _filled(found, before, after, slices),
        "index_table": index_table(found, systems, slices, report.metrics),
        "exposure_table": exposure_table(found, systems, report.metrics),
        "ranking_table": ranking_table(
            found,
            short,
            slices,
            report.metrics,
            max(SUMMARY_LENGTH, main.k),
        ),
        "history_table": ranking_table(
            found,
            short,
            {part: SLICE_TITLES[part] for part in USER_SLICES},
            report.metrics,
            max(SUMMARY_LENGTH, main.k),
            of="history",
        ),
        "seen_removed": SEEN_ITEMS_RANKED not in report.notes,
        "gain_table": gain_table(_gains(found, systems, slices, main), systems),
        "comparison_table": gain_table(report.comparison.groups(), short)
        if report.comparison
        else None,
        "case_titles": [systems[names[system]] for system in systems_shown(report.systems)],
        "explained": _explanations(report.metrics),
        "report": report,
        "version": __version__,
        **_plots(report, found, list(names.values()), slices, main),
        **blend_context(
            {systems[names[mixture.system]]: mixture for mixture in report.mixtures},
            {systems[names[system]]: one for system, one in report.combining.items()},
        ),
    }


def _main_metric(metrics: Sequence[Metric]) -> RankingMetric:
    """The ranking metric that sentences speak of: the first kind, at the length nearest to 10."""
    return summary_metrics(metrics)[0]


def _titles(report: Report, names: Mapping[System, str]) -> Titles:
    """What people read for each system: the title of its variant, with the backbone where there are
    several.
    """
    several = len({system.backbone for system in names}) > 1
    return {
        name: report.titles.get(system.variant, system.variant)
        + (f" · {system.backbone}" if several else "")
        for system, name in names.items()
    }


def _plots(
    report: Report,
    found: RowsByKey,
    names: Sequence[str],
    slices: Titles,
    main: RankingMetric,
) -> dict[str, str | None]:
    """The plots as SVG, by name; None for one that there is nothing to draw of."""
    from llm_i2i_spark.evaluate.report import plots

    compared = compared_systems(report.systems)
    buckets = {
        p: words for p, words in BUCKETS.items() if (names[0], p, main.name, main.k) in found
    }
    same = sorted(
        (metric for metric in report.metrics if type(metric) is type(main)), key=lambda m: m.k
    )
    after = system_names(report.systems)[compared[1]] if compared else None
    return {
        "bars": plots.plot_bars(found, names, slices, main),
        "curve": plots.plot_lengths(found, names, same) if len(same) > 1 else None,
        "gains": plots.plot_gains(found, after, buckets, main) if after else None,
        "shares": _share_plot(report, compared),
        "training": plots.plot_training(report.losses) if report.losses else None,
        "calibration": plots.plot_reliability(report.reliability) if report.reliability else None,
    }


def _share_plot(report: Report, compared: tuple[System, System] | None) -> str | None:
    from llm_i2i_spark.evaluate.aggregates import SHARE_BINS
    from llm_i2i_spark.evaluate.report.plots import plot_shares

    if compared is None:
        return None
    position = [System(*system) for system in report.systems].index(compared[1])
    part = report.shares[report.shares["system"] == position]
    counts = dict(zip(part["bin"].astype(int), part["neighbors"].astype(int), strict=True))
    return plot_shares(counts, SHARE_BINS) if counts else None


def _verdict(
    found: RowsByKey, before: str, after: str | None, part: str, main: Metric
) -> dict[str, Figure | None]:
    """The figures behind the headline of a slice: of the baseline and of what is compared with
    it.
    """
    return {
        "before": figure_of(found, before, part, main.name, main.k),
        "after": figure_of(found, after, part, main.name, main.k) if after else None,
    }


def _gains(
    found: RowsByKey, systems: Titles, slices: Titles, main: RankingMetric
) -> list[FigureGroup]:
    """The main metric of every system that has a baseline, by slice."""
    groups = []
    for part in slices:
        figures = {name: figure_of(found, name, part, main.name, main.k) for name in systems}
        gains = {name: figure for name, figure in figures.items() if "gain" in figure}
        if gains:
            groups.append(FigureGroup(part, main.label, main.number_format, gains))
    return groups


def _filled(
    found: RowsByKey, before: str, after: str | None, slices: Titles
) -> list[dict[str, Any]]:
    """The share of items with a neighbour, before and after, of all items and of the long tail."""
    filled = []
    for part in slices:
        rows = [found.get((name, part, FillRate.name, 0)) for name in (before, after) if name]
        if all(rows) and part in FILLED_WORDS:
            values = [row["value"] for row in rows if row]
            filled.append({"words": FILLED_WORDS[part], "values": values})
    return filled


def _explanations(metrics: Sequence[Metric]) -> dict[str, str]:
    """What each kind of metric means, by what it is a figure of."""
    words: dict[str, list[str]] = {"ranking": [], "index": [], "exposure": []}
    for metric in {type(metric): metric for metric in metrics}.values():
        group = "ranking"
        if isinstance(metric, BeyondAccuracyMetric):
            group = "index" if metric.needs is IndexCounts else "exposure"
        words[group].append(f"{metric.title} is {metric.explanation}")
    return {group: _sentence("; ".join(parts)) for group, parts in words.items()}


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def _in_a_sentence(title: str) -> str:
    """A title within a sentence: `Real interactions` loses its capital, `LLM-I2I` keeps it."""
    return title[:1].lower() + title[1:] if title[1:2].islower() else title
