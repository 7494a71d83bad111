"""The report of an evaluation: one HTML file that explains itself, made from plain data."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from llm_i2i_spark import __version__
from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.evaluate.accuracy import MetricRow
from llm_i2i_spark.evaluate.examples import Example, compared_series
from llm_i2i_spark.evaluate.headline import (
    SLICE_WORDS,
    Figures,
    figures,
    headline,
    headline_k,
    interval,
    is_significant,
    series_names,
)
from llm_i2i_spark.evaluate.outcomes import BUCKETS
from llm_i2i_spark.evaluate.plots import plot_bars, plot_curve, plot_gains, plot_shares
from llm_i2i_spark.evaluate.transform import SHARE_BINS

SERIES_WORDS = {
    "real": "Real interactions alone",
    "llm_i2i": "LLM-I2I",
    "no_generator": "without the generator",
    "no_discriminator": "without the discriminator",
    "no_threshold": "without the threshold",
}
BUCKET_WORDS = dict(
    zip(BUCKETS, ("never seen", "1–4 clicks", "5–9", "10–19", "20–49", "50 or more"), strict=True)
)
NARROW = "\u202f"
"""A narrow space that does not break, between a number and its sign."""
SECTIONS_SHOWN = (
    "ingest",
    "export",
    "sft",
    "generate",
    "discriminate",
    "fuse",
    "i2i",
    "index",
    "evaluate",
)


@dataclass(frozen=True)
class Report:
    """All that the report shows.

    Attributes:
        rows: metric rows of the run.
        shares: (series, bin, neighbors), neighbours by share of synthetic evidence.
        series: (variant, backbone) by place.
        examples: items with neighbours before and after.
        run_id: of the run.
        inputs: table versions that were read.
        config_digest: of the whole configuration.
        settings: the configuration as YAML, from `settings_shown`.
    """

    rows: list[MetricRow]
    shares: pd.DataFrame
    series: Sequence[tuple[str, str]]
    examples: list[Example]
    run_id: str
    inputs: dict[str, int]
    config_digest: str
    settings: str


def report_path(root: str | None, run_id: str) -> str:
    """Where the report of a run stands: `reports/<run_id>/report.html` under the lake's root, or
    the working folder without one.
    """
    return f"{root or Path.cwd()}/reports/{run_id}/report.html"


def settings_shown(config: Config) -> str:
    """The settings that shape a result, as YAML; paths of the lake and the session's settings (they
    may hold secrets) stay out.
    """
    values = {
        name: section
        for name, section in config.model_dump(mode="json").items()
        if name in SECTIONS_SHOWN
    }
    return yaml.safe_dump({"seed": config.seed, **values}, sort_keys=False, allow_unicode=True)


def render_report(report: Report) -> str:
    """The report as one HTML page: styles and plots inside, nothing fetched from elsewhere."""
    environment = Environment(
        loader=PackageLoader("llm_i2i_spark.evaluate"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": _percent, "signed_percent": _signed_percent}
    return environment.get_template("report.html.j2").render(**report_context(report))


def report_context(report: Report) -> dict[str, Any]:
    """What the template shows, by name: figures and words, plots as SVG."""
    found, called, k = figures(report.rows), series_names(report.rows), headline_k(report.rows)
    names = list(called.values())
    compared = compared_series(report.series)
    after = called[compared[1]] if compared else None
    before = called[compared[0]] if compared else names[0]
    ks = sorted({row["k"] for row in report.rows if row["name"] == "recall"})
    ndcg_ks = [cut for cut in ks if cut <= max(10, k)]
    slices = {
        part: SLICE_WORDS[part]
        for part in ("all", "long_tail", "head", "new")
        if (before, part, "recall", k) in found
    }
    buckets = {
        part: words for part, words in BUCKET_WORDS.items() if (before, part, "recall", k) in found
    }
    return {
        "summary": headline(report.rows),
        "k": k,
        "words": {name: SERIES_WORDS.get(name, name) for name in names},
        "names": names,
        "before": before,
        "after": after,
        "verdicts": {part: _verdict(found, before, after, part, k) for part in slices},
        "bars": plot_bars(found, names, slices, k),
        "curve": plot_curve(found, names, ks),
        "gains": plot_gains(found, after, buckets, k) if after else None,
        "shares": _share_plot(report, compared),
        "fill": _fill_table(found, names, slices),
        "breadth": _breadth_table(found, names, ks),
        "accuracy": _accuracy_table(found, names, slices, ks, ndcg_ks),
        "ndcg_ks": ndcg_ks,
        "slices": slices,
        "ks": ks,
        "catalogue": found[before, "all", "fill_rate", 0]["n"],
        "examples": report.examples,
        "run": report,
        "version": __version__,
    }


def write_report(path: str, page: str) -> None:
    """Write the page to a local path or a URI, whole or not at all.

    Raises:
        StageError: the place cannot be written to.
    """
    try:
        if "://" in path:
            from pyarrow.fs import FileSystem

            system, inner = FileSystem.from_uri(path)
            system.create_dir(os.path.dirname(inner), recursive=True)
            with system.open_output_stream(inner) as stream:
                stream.write(page.encode())
            return
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished = place.with_suffix(".tmp")
        unfinished.write_text(page, encoding="utf-8")
        unfinished.replace(place)
    except (OSError, ValueError) as error:
        raise StageError(
            f"Stage evaluate could not write the report to {path}: {error}."
        ) from error


def _verdict(found: Figures, before: str, after: str | None, part: str, k: int) -> dict[str, Any]:
    """The figures behind the headline of a slice: both recalls, the gain, and whether it could be
    chance.
    """
    verdict: dict[str, Any] = {
        "before": found[before, part, "recall", k],
        "after": None,
        "gain": None,
        "relative": None,
    }
    if after is None:
        return verdict
    gain = found[after, part, "recall_gain", k]
    verdict |= {
        "after": found[after, part, "recall", k],
        "gain": gain,
        "gain_interval": interval(gain),
    }
    relative = found.get((after, part, "recall_relative_gain", k))
    verdict |= {"relative": relative, "relative_interval": interval(relative) if relative else None}
    return verdict | {"significant": is_significant(gain)}


def _share_plot(
    report: Report, compared: tuple[tuple[str, str], tuple[str, str]] | None
) -> str | None:
    if compared is None:
        return None
    part = report.shares[report.shares["series"] == list(report.series).index(compared[1])]
    counts = dict(zip(part["bin"].astype(int), part["neighbors"].astype(int), strict=True))
    return plot_shares(counts, SHARE_BINS) if counts else None


def _fill_table(
    found: Figures, names: Sequence[str], slices: dict[str, str]
) -> list[dict[str, Any]]:
    parts = [part for part in slices if (names[0], part, "fill_rate", 0) in found]
    return [
        {
            "words": slices[part],
            "items": found[names[0], part, "fill_rate", 0]["n"],
            "rates": [found[name, part, "fill_rate", 0]["value"] for name in names],
            "lengths": [found[name, part, "list_length", 0]["value"] for name in names],
        }
        for part in parts
    ]


def _breadth_table(found: Figures, names: Sequence[str], ks: Sequence[int]) -> list[dict[str, Any]]:
    chosen = [k for k in ks if k in (5, 10, 50, 200)] or list(ks)
    return [
        {
            "name": name,
            "k": k,
            **{
                measure: found[name, "all", measure, k]["value"]
                for measure in ("coverage", "gini", "novelty")
            },
        }
        for k in chosen
        for name in names
    ]


def _accuracy_table(
    found: Figures,
    names: Sequence[str],
    slices: dict[str, str],
    ks: Sequence[int],
    ndcg_ks: Sequence[int],
) -> list[dict[str, Any]]:
    return [
        {
            "words": slices[part],
            "n": found[name, part, "recall", ks[0]]["n"],
            "name": name,
            "recall": [found[name, part, "recall", k]["value"] for k in ks],
            "ndcg": [found[name, part, "ndcg", k]["value"] for k in ndcg_ks],
            "mrr": found[name, part, "mrr", 0]["value"],
        }
        for part in slices
        for name in names
    ]


def _percent(value: float, digits: int = 1) -> str:
    return f"{100 * value:.{digits}f}{NARROW}%"


def _signed_percent(value: float, digits: int = 1) -> str:
    return f"{100 * value:+.{digits}f}{NARROW}%".replace("-", "−")
