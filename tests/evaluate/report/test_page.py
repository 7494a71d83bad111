"""The report holds the run's figures, says chance where it is chance, and asks nothing of the
network.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.evaluate.aggregates import read_exposure, read_index
from llm_i2i_spark.evaluate.compare import compare_systems
from llm_i2i_spark.evaluate.metric_rows import beyond_accuracy_rows
from llm_i2i_spark.evaluate.notes import SEEN_ITEMS_RANKED
from llm_i2i_spark.evaluate.report.case_studies import CaseStudy, Neighbor, compared_systems
from llm_i2i_spark.evaluate.report.making import Combining
from llm_i2i_spark.evaluate.report.mixtures import Mixture
from llm_i2i_spark.evaluate.report.page import Report, render_report, settings_shown
from llm_i2i_spark.evaluate.report.write import report_path, write_report
from llm_i2i_spark.evaluate.systems import System
from llm_i2i_spark.metrics import (
    MRR,
    BeyondAccuracyMetric,
    Metric,
    RankingMetric,
    Recall,
    all_metrics,
)
from llm_i2i_spark.metrics.reliability import Reliability
from tests.rank_groups import BOTH, IDENTITY, means_of, rank_groups, rows_of

KINDS = ["bucket", "long_tail", "long_tail_train"]


def make_report(
    hits: tuple[int, int, int],
    systems: list[tuple[str, str]] = BOTH,
    metrics: Sequence[Metric] = all_metrics((5, 10)),
    **more: Any,
) -> Report:
    """A report on 1,000 users: hits in both, before alone, after alone (the last in the long
    tail).
    """
    better = [[0, 0], [0, -1], [-1, 0], [-1, -1]]
    ranks = [[row[variant != "real"] for variant, _ in systems] for row in better]
    groups = rank_groups(ranks, [*hits, 1000 - sum(hits)], [False, False, True, False])
    none = float("nan")
    exposure = pd.DataFrame(
        [
            (system, k, *row)
            for system in range(len(systems))
            for k in (5, 10)
            for row in ((none, 2, 4, 8), (2, none, 4, 8))
        ],
        columns=["system", "k", "seen", "exposure", "items", "shown"],
    )
    held = pd.DataFrame(
        [
            (system, *kind, 2, 1 + system % 2, 4, 4, 2_000_000)
            for system in range(len(systems))
            for kind in ((1, True, True), (5, False, False))
        ],
        columns=["system", *KINDS, "items", "filled", "neighbors", "known", "share"],
    )
    ranking = [metric for metric in metrics if isinstance(metric, RankingMetric)]
    beyond = [metric for metric in metrics if isinstance(metric, BeyondAccuracyMetric)]
    counts = read_exposure(exposure) | read_index(held)
    identity = {**IDENTITY, "protocol": "strict"}
    values: dict[str, Any] = {
        "rows": [
            {**row, **identity}
            for row in (
                *rows_of(groups, ranking, systems, resamples=200),
                *beyond_accuracy_rows(counts, systems, beyond, identity),
            )
        ],
        "metrics": metrics,
        "systems": systems,
        "shares": pd.DataFrame([(1, 0, 7), (1, 20, 3)], columns=["system", "bin", "neighbors"]),
        "case_studies": [],
        "run_id": "r1",
        "versions": {"item_index": 4},
        "config_digest": "abc123",
        "settings": settings_shown(load_config()),
        "titles": {"llm_i2i": "LLM-I2I"},
    }
    return Report(**{**values, **more})


class Checker(HTMLParser):
    """Collects the tags that would fetch something, and checks that tags close in order."""

    VOID = ("meta", "link", "img", "br", "hr", "input")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.fetched += [
            value
            for name, value in attrs
            if name in ("src", "href", "xlink:href") and not value.startswith("#")
        ]
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_clear_gain_is_the_headline_with_its_interval() -> None:
    page = render_report(make_report((100, 0, 60)))
    heading = re.sub(
        r"<[^>]+>", "", re.search(r"<h1>(.*?)</h1>", page, re.DOTALL).group(1)
    ).replace("\u202f", " ")
    assert heading == "LLM-I2I raises Recall@10 from 10.00 % to 16.00 %"
    assert "+60.0\u202f%" in page
    assert "from chance" not in page
    assert "1,000" in page
    assert "item_index version&nbsp;4" in page
    assert "abc123" in page
    assert "Protocol strict" in page


def test_a_difference_within_chance_is_said_to_be_one() -> None:
    page = render_report(make_report((100, 3, 4)))
    assert "<h1>No clear difference" in page
    assert "cannot tell it from chance" in page


def test_users_are_told_apart_by_history_and_notes_stand_with_the_figures() -> None:
    usual = render_report(make_report((100, 0, 60)))
    # Both indexes have a line of the users with 1 to 4 interactions, and nobody has another number.
    assert usual.count(">users with 1–4 interactions<") == 2
    assert "users with 5–9" not in usual
    assert "Items the user already has are never ranked." in usual
    page = render_report(make_report((100, 0, 60), notes=(SEEN_ITEMS_RANKED, "Another.")))
    assert f"{SEEN_ITEMS_RANKED} Another." in page
    assert "are never ranked" not in page


def test_a_loss_is_said_to_be_one() -> None:
    assert "<h1>LLM-I2I lowers Recall@10" in render_report(make_report((40, 60, 0)))


def test_a_baseline_alone_has_a_page_without_comparison() -> None:
    page = render_report(make_report((100, 0, 0), BOTH[:1]))
    assert "nothing to compare it with" in page
    assert "Where the gain comes from" not in page
    assert compared_systems(BOTH[:1]) is None


def test_case_studies_show_titles_as_text_with_ids_scores_and_marks() -> None:
    study = CaseStudy(
        "i1",
        "<script>alert(1)</script>",
        1,
        [
            [],
            [
                Neighbor("i2", "Red & blue", 0.25, 0.5),
                Neighbor("i3", "Plain", 0.125, 0.0),
                Neighbor("i4", None, 0.1, None),
            ],
        ],
    )
    page = render_report(make_report((100, 0, 60), case_studies=[study]))
    assert "<script>alert" not in page
    assert "Red &amp; blue" in page
    assert "50\u202f% synthetic" in page
    assert page.count("synthetic</span>") == 1
    assert "no neighbour" in page
    assert "0.125" in page
    for item in ("i1", "i2", "i3", "i4"):
        assert f'<span class="id">{item}</span>' in page


BLENDS = [
    System("real", "blend"),
    System("llm_i2i", "blend"),
    System("real", "em_transitions"),
    System("llm_i2i", "em_transitions"),
]
ROWS = [
    (least, component, weight)
    for least, weights in ((0, (0.1, 0.6, 0.05)), (2, (0.2, 0.4, 0.1)), (4, (0.7, 0.1, 0.15)))
    for component, weight in zip(("em_transitions", "text", "attribution"), weights, strict=True)
]


def test_where_there_is_a_blend_three_lists_stand_next_to_each_other_with_reasons() -> None:
    parts = (("text", 0.61), ("brand", 0.2), ("popular", 0.004))
    lists = [[], [Neighbor("i2", "Red", 0.25, 0.0, parts)], [Neighbor("i3", "Blue", 0.2, None)]]
    mixtures = [Mixture.of_rows(BLENDS[0], ROWS)]
    studies = [CaseStudy("i1", "Cold", 0, lists)]
    page = render_report(make_report((100, 0, 60), BLENDS, case_studies=studies, mixtures=mixtures))
    case = page[page.index('<div class="case">') :]
    titles = re.findall("<h4>(.*?)</h4>", case)
    assert titles == ["real · em_transitions", "real · blend", "LLM-I2I · blend"]
    reason = re.search('<span class="reason">(.*?)</span>', case).group(1)
    assert (
        reason.replace("\u202f", " ").replace("\u00a0", " ")
        == "similar text 61 % · same brand 20 %"
    )
    assert case.count('class="reason"') == 1
    assert "nobody had clicked it in training" in page
    assert "the last one among those that nobody had clicked" in page


def test_what_a_blend_is_made_of_is_a_picture_and_a_sentence_from_its_weights() -> None:
    mixtures = [Mixture.of_rows(system, ROWS) for system in BLENDS[:2]]
    page = render_report(make_report((100, 0, 60), BLENDS, mixtures=mixtures))
    plot = page[page.index('aria-label="What a blend is made of') :]
    plot = plot[: plot.index("</svg>")]
    # Three components over three buckets, in two small plots; every colour is in the legend.
    colors = re.findall(r"var\(--system-(\d)\)", plot)
    assert {color: colors.count(color) for color in set(colors)} == dict.fromkeys("126", 6)
    for label in ("0–1", "2–3", "4+", "real · blend", "LLM-I2I · blend"):
        assert f">{label}<" in plot
    for name in ("clicked next", "similar text", "proposed by the models"):
        assert f"</i>{name}</span>" in page
    text = page.replace("\u202f", " ")
    assert "Rare items (0–1 clicks) lean on similar texts (60 %)" in text
    without = render_report(make_report((100, 0, 60), BLENDS))
    assert "What the blend is made of" not in without


def test_how_the_combiner_learned_stands_on_the_page_where_it_is_known() -> None:
    learned = Combining([4.8, 4.7], [4.9, 4.85], mixture_loss=4.95, loss=4.85)
    page = render_report(make_report((100, 0, 60), BLENDS, combining={BLENDS[0]: learned}))
    assert "from 4.950, of the mixture alone, to 4.850" in page
    assert 'aria-label="Loss over the epochs of the combiner"' in page
    elsewhere = Combining([], [], mixture_loss=4.95, loss=4.85)
    page = render_report(make_report((100, 0, 60), BLENDS, combining={BLENDS[0]: elsewhere}))
    assert "to 4.850" in page
    assert "Loss over the epochs of the combiner" not in page


def test_real_interactions_alone_by_two_backbones_are_no_baseline_alone() -> None:
    page = render_report(make_report((100, 0, 0), [BLENDS[0], BLENDS[2]]))
    assert "indexes of the real interactions alone" in page
    assert "nothing to compare it with" not in page


def test_several_backbones_are_told_apart_by_name() -> None:
    systems = [(variant, backbone) for backbone in ("bm25", "swing") for variant, _ in BOTH]
    page = render_report(make_report((100, 0, 60), systems))
    for name in ("real · bm25", "LLM-I2I · bm25", "real · swing", "LLM-I2I · swing"):
        assert page.count(f">{name}<") >= 3
    assert "LLM-I2I · bm25 raises" in page
    assert "All systems side by side" not in page


def test_more_than_two_systems_stand_side_by_side() -> None:
    systems = [(variant, backbone) for backbone in ("bm25", "swing") for variant, _ in BOTH]
    metrics = (Recall(10), MRR())
    groups = rank_groups([[0, 0, 0, 0], [-1, 0, -1, 0], [-1] * 4], [100, 60, 840], [False] * 3)
    comparison = compare_systems(means_of(groups, metrics), systems, metrics)
    page = render_report(make_report((100, 0, 60), systems, comparison=comparison))
    assert "Every index against real · bm25, on the same users" in page
    assert page.count(">p (Holm)</button>") == 1
    assert page.count(f'data-order="{3 * 2 / 301}"') == 2 * len(metrics)


def test_a_gain_without_an_interval_is_explained() -> None:
    # One user hits before, so that many resamples have no hit to divide by.
    page = render_report(make_report((1, 0, 60)))
    assert "no interval: the baseline finds nobody in some resamples" in page
    assert "divided by nothing" in page
    assert re.search(r"<td[^>]*>none</td>", page)
    assert "resamples of the users" not in render_report(make_report((100, 0, 60)))
    assert "no interval" not in render_report(make_report((100, 0, 60)))


def test_seconds_and_training_stand_on_the_page_where_they_are_given() -> None:
    page = render_report(
        make_report(
            (100, 0, 60),
            seconds={"ingest": 2.34, "sft": 1234.0},
            losses={"generator": [5.0, 4.0, 3.5], "discriminator": [0.6]},
        )
    )
    assert "ingest 2.3 · sft 1,234" in page
    assert "How the models learned" in page
    assert page.count("<svg") == 5
    without = render_report(make_report((100, 0, 60)))
    assert "seconds" not in without
    assert "How the models learned" not in without


def test_calibration_stands_on_the_page_where_it_is_known() -> None:
    measured = Reliability.measure(np.linspace(0.01, 0.3, 40), np.arange(40) % 8 == 7)
    page = render_report(make_report((100, 0, 60), reliability={"discriminator": measured}))
    assert "expected calibration error of the discriminator is 0." in page
    assert "over 40 proposals" in page
    assert page.count("<svg") == 5
    # Ten bins, of which five have anything that came true: a dot each.
    plot = page[page.index('aria-label="What came true') :]
    plot = plot[: plot.index("</svg>")]
    assert plot.count("<use") >= 5
    assert "How far confidence can be trusted" not in render_report(make_report((100, 0, 60)))


class Lift(RankingMetric):
    """A metric of the reader's own."""

    name, title, explanation = "lift", "Lift", "twice the share of hits"

    def gain(self, rank):
        return 2.0 * (rank <= self.k)


def test_a_metric_that_nobody_foresaw_has_its_place_on_the_page() -> None:
    page = render_report(make_report((100, 0, 60), metrics=[*all_metrics((5, 10)), Lift(10)]))
    assert '<button type="button">Lift @10</button>' in page
    assert "Lift is twice the share of hits" in page
    alone = render_report(make_report((100, 0, 60), metrics=[Lift(10)]))
    assert "Lift@10 from 0.2000 to" in alone
    assert "Beyond accuracy" not in alone


def test_the_page_is_complete_and_fetches_nothing() -> None:
    page = render_report(make_report((100, 0, 60)))
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert checker.fetched == []
    assert len(checker.ids) == len(set(checker.ids))
    assert "url(http" not in page
    assert page.count("<svg") == 4
    # Every colour of the plots is the page's own, so that a dark page is dark throughout.
    assert set(
        re.findall(r"#[0-9a-f]{6}", "".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL)))
    ) <= {"#ffffff"}
    assert render_report(make_report((100, 0, 60))) == page


def test_settings_leave_out_what_may_be_secret() -> None:
    shown = settings_shown(
        load_config([], ["spark.conf={spark.hadoop.key: hunter2}", "lake.root=/private/place"])
    )
    assert "hunter2" not in shown
    assert "/private" not in shown
    assert "decay: 0.8" in shown


def test_the_report_is_written_where_it_is_said_to_be(tmp_path: Path) -> None:
    path = report_path(str(tmp_path), "r9")
    assert path == f"{tmp_path}/reports/r9/report.html"
    write_report(path, "<p>ä</p>")
    assert Path(path).read_text(encoding="utf-8") == "<p>ä</p>"
    assert [found.name for found in Path(path).parent.iterdir()] == ["report.html"]
    write_report(f"file://{tmp_path}/by/uri/report.html", "x")
    assert (tmp_path / "by/uri/report.html").read_text() == "x"
    (tmp_path / "file").write_text("")
    with pytest.raises(StageError, match="could not write the report"):
        write_report(str(tmp_path / "file" / "report.html"), "x")
