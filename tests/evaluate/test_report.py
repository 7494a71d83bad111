"""The report holds the run's figures, says chance where it is chance, and asks nothing of the
network.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.evaluate.accuracy import accuracy_rows
from llm_i2i_spark.evaluate.breadth import breadth_rows, index_rows
from llm_i2i_spark.evaluate.examples import Example, Neighbor, compared_series
from llm_i2i_spark.evaluate.outcomes import Outcomes, slice_members
from llm_i2i_spark.evaluate.report import (
    Report,
    render_report,
    report_path,
    settings_shown,
    write_report,
)

IDENTITY = {"run_id": "r1", "protocol": "strict"}
BOTH = [("real", "swing"), ("llm_i2i", "swing")]
KINDS = ["bucket", "long_tail", "long_tail_train"]


def make_report(
    hits: tuple[int, int, int],
    series: list[tuple[str, str]] = BOTH,
    examples: tuple[Example, ...] = (),
) -> Report:
    """A report on 1,000 users: hits in both, before alone, after alone."""
    better = np.array([[0, 0], [0, -1], [-1, 0], [-1, -1]])[:, : len(series)]
    users = np.array([*hits, 1000 - sum(hits)])
    tail = np.array([False, False, True, False])
    bucket = np.where(tail, 1, 5)
    outcomes = Outcomes(better, (better >= 0).astype(int), users, slice_members(bucket, tail, tail))
    none = float("nan")
    exposure = pd.DataFrame(
        [
            (place, k, *row)
            for place in range(len(series))
            for k in (5, 10)
            for row in ((none, 2, 4, 8), (2, none, 4, 8))
        ],
        columns=["series", "k", "seen", "exposure", "items", "shown"],
    )
    held = pd.DataFrame(
        [
            (place, *kind, 2, 1 + place, 4, 2_000_000)
            for place in range(len(series))
            for kind in ((1, True, True), (5, False, False))
        ],
        columns=["series", *KINDS, "items", "filled", "neighbors", "share"],
    )
    rows = accuracy_rows(outcomes, series, (5, 10), 200, 1, IDENTITY)
    rows += breadth_rows(exposure, series, IDENTITY) + index_rows(held, series, IDENTITY)
    shares = pd.DataFrame([(1, 0, 7), (1, 20, 3)], columns=["series", "bin", "neighbors"])
    return Report(
        rows,
        shares,
        series,
        list(examples),
        "r1",
        {"item_index": 4},
        "abc123",
        settings_shown(load_config()),
    )


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
    assert "item_index version 4" in page
    assert "abc123" in page
    assert "Protocol strict" in page


def test_a_difference_within_chance_is_said_to_be_one() -> None:
    page = render_report(make_report((100, 3, 4)))
    assert "<h1>No clear difference" in page
    assert "cannot tell it from chance" in page


def test_a_loss_is_said_to_be_one() -> None:
    assert "<h1>LLM-I2I lowers Recall@10" in render_report(make_report((40, 60, 0)))


def test_a_baseline_alone_has_a_page_without_comparison() -> None:
    page = render_report(make_report((100, 0, 0), BOTH[:1]))
    assert "nothing to compare it with" in page
    assert "Where the gain comes from" not in page
    assert compared_series(BOTH[:1]) is None


def test_examples_show_titles_as_text_with_scores_and_marks() -> None:
    example = Example(
        "<script>alert(1)</script>",
        1,
        [],
        [Neighbor("Red & blue", 0.25, 0.5), Neighbor("Plain", 0.125, 0.0)],
    )
    page = render_report(make_report((100, 0, 60), examples=(example,)))
    assert "<script" not in page
    assert "Red &amp; blue" in page
    assert "50\u202f% synthetic" in page
    assert page.count("synthetic</span>") == 1
    assert "no neighbour" in page
    assert "0.125" in page


def test_the_page_is_whole_and_fetches_nothing() -> None:
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
