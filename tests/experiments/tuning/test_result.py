"""What a person reads of a search: table, verdict, words to paste, page."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_i2i_spark.backbones.search_space import Choice, Range
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.experiments.tuning.objective import read_objective
from llm_i2i_spark.experiments.tuning.page import render_search
from llm_i2i_spark.experiments.tuning.result import SHOWN, TuningResult
from llm_i2i_spark.experiments.tuning.space import SearchedOption
from llm_i2i_spark.experiments.tuning.trial import Trial
from llm_i2i_spark.metrics.paired import Estimate

SPACE = (
    SearchedOption("i2i.bpr.exponent", Range(1, 8)),
    SearchedOption("i2i.youtube_dnn.hidden", Choice(((64, 64), (32,)))),
    SearchedOption("index.popularity_exponent", Range(0.01, 0.75, log=True)),
)
CURRENT = {
    "i2i.bpr.exponent": 4.0,
    "i2i.youtube_dnn.hidden": (64, 64),
    "index.popularity_exponent": None,
}
OTHER = {
    "i2i.bpr.exponent": 2.5,
    "i2i.youtube_dnn.hidden": (32,),
    "index.popularity_exponent": 0.1,
}


def result_of(*values: float | None) -> TuningResult:
    """A search whose first trial has the current settings and whose last one is the best."""
    trials = [
        Trial(
            number,
            OTHER if number else CURRENT,
            value,
            None if value is None else (value - 0.01, value + 0.01),
            1234,
            12.0,
            ("i2i", "index"),
            "<they do not fit>" if value is None else "",
        )
        for number, value in enumerate(values)
    ]
    best = trials[-1] if (values[-1] or 0.0) > (values[0] or 0.0) else trials[0]
    return TuningResult(
        objective=read_objective("recall@10/long_tail"),
        variant="llm_i2i",
        backbone="bpr",
        space=SPACE,
        trials=tuple(trials),
        current=trials[0],
        best=best,
        gain=None if best is trials[0] else Estimate(0.02, (0.005, 0.035)),
        folder="/studies/one",
    )


def test_the_best_settings_are_words_and_yaml_that_are_read_again(tmp_path: Path) -> None:
    found = result_of(0.03, None, 0.05)
    words = [part for part in found.words.split("--set ") if part.strip()]
    settings = [part.strip().strip("'") for part in words]
    assert load_config(settings=settings).settings(*OTHER) == Config().with_settings(
        OTHER
    ).settings(*OTHER)
    file = tmp_path / "best.yaml"
    file.write_text(found.yaml, encoding="utf-8")
    assert load_config([file]) == load_config(settings=settings)
    assert list(yaml.safe_load(found.yaml)) == ["i2i", "index"]


def test_the_lines_say_what_was_gained_and_that_it_was_chosen() -> None:
    text = str(result_of(0.03, None, 0.05))
    assert "1,234 users, 3 trials" in text
    assert "Trial 2 raises recall@10/long_tail from 0.0300 to 0.0500" in text
    assert "+0.0200 (95 % interval +0.0050 to +0.0350)" in text
    assert "expect less" in text
    assert "<they do not fit>" in text


def test_the_lines_say_when_nothing_is_better() -> None:
    text = str(result_of(0.05, 0.03))
    assert "No trial is better than the current settings." in text
    assert "--set" not in text


def test_many_trials_are_cut_to_the_best_and_the_current() -> None:
    found = result_of(0.01, *(0.02 + number / 1000 for number in range(20)))
    shown = [line.split()[0] for line in found.lines()[2 : 2 + SHOWN]]
    assert shown == [*map(str, range(20, 11, -1)), "0"]
    assert "and 11 more in /studies/one/trials.csv" in found.lines()


@pytest.mark.parametrize("values", [(0.03,), (0.03, None), (0.05, 0.03), (0.03, None, 0.04, 0.05)])
def test_the_page_holds_every_trial_and_asks_nothing_of_the_network(values: Any) -> None:
    found = result_of(*values)
    page = render_search(found, Config())
    HTMLParser().feed(page)
    assert page.startswith("<!doctype html>")
    assert page.count("<svg") == 1 + len(SPACE)
    assert "src=" not in page
    assert "<they" not in page
    assert page.count('<td class="n" data-order="12.0">12</td>') == len(values)
    assert ("The best settings" in page) == (found.best is not found.current)


def test_it_is_json_and_a_table() -> None:
    found = result_of(0.03, None, 0.05)
    assert found.to_dict()["gain"] == {"value": 0.02, "interval": (0.005, 0.035)}
    assert found.to_dict()["space"]["i2i.bpr.exponent"] == "1:8"
    frame = found.to_pandas()
    assert list(frame["note"]) == ["current settings", "<they do not fit>", "best"]
    assert frame["value"].isna().sum() == 1
    assert "No trial" not in found._repr_html_()
