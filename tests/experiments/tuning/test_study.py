"""A study in a file: the same trials after any interruption, whatever was left of the last one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import optuna
import pytest

from llm_i2i_spark.backbones.search_space import Choice, Range
from llm_i2i_spark.experiments.tuning.space import SearchedOption
from llm_i2i_spark.experiments.tuning.study import FILE, Study
from llm_i2i_spark.experiments.tuning.trial import Trial, best_of

SPACE = (
    SearchedOption("i2i.swing.a1", Range(0.1, 20, log=True)),
    SearchedOption("i2i.swing.b", Range(0, 1)),
    SearchedOption("index.recent_items", Range(1, 20), whole=True),
    SearchedOption("index.popularity_exponent", Choice((None, 0.25, 0.5))),
)
FIRST = {
    "i2i.swing.a1": 0.0,  # outside of its range, as the project's own value may be
    "i2i.swing.b": 0.5,
    "index.recent_items": 10,
    "index.popularity_exponent": None,
}


def quality(settings: dict[str, Any]) -> float:
    """A smooth function with its best at b = .8, a1 = 2."""
    distance = math.log(max(settings["i2i.swing.a1"], 0.01) / 2) ** 2
    return 1 - (settings["i2i.swing.b"] - 0.8) ** 2 - 0.05 * distance


def open_study(folder: Path, seed: int = 42) -> Study:
    return Study(folder, SPACE, seed)


def search(folder: Path, total: int, reopen: bool = False) -> list[Trial]:
    """Trials until there are `total`."""
    study = open_study(folder)
    while len(study.trials) < total:
        study = open_study(folder) if reopen else study
        number = len(study.trials)
        settings = study.propose() if number else FIRST
        study.add(Trial(number, settings, quality(settings), (0.0, 1.0), 10, 0.5, ("i2i",)))
    return study.trials


def test_an_interrupted_search_proposes_what_it_would_have_without(tmp_path: Path) -> None:
    whole = search(tmp_path / "whole", 14)
    search(tmp_path / "parts", 6)
    assert open_study(tmp_path / "parts").propose() == whole[6].settings  # and is killed
    assert search(tmp_path / "parts", 14, reopen=True) == whole
    assert (
        open_study(tmp_path / "whole", seed=43).propose()
        != open_study(tmp_path / "parts").propose()
    )


def test_a_search_finds_what_is_better(tmp_path: Path) -> None:
    trials = search(tmp_path, 30)
    best = best_of(trials)
    assert best is not None
    assert best.value > trials[0].value + 0.05
    for option in SPACE:
        assert all(option.contains(trial.settings[option.key]) for trial in trials[1:])
    assert {type(one.settings["index.recent_items"]) for one in trials} == {int}
    assert {one.settings["index.popularity_exponent"] for one in trials} == {None, 0.25, 0.5}


def test_a_trial_is_kept_as_it_was_and_optuna_reads_the_file(tmp_path: Path) -> None:
    trials = search(tmp_path, 3)
    assert open_study(tmp_path).trials == trials
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(tmp_path / FILE))
    )
    read = optuna.load_study(study_name=tmp_path.name, storage=storage)
    assert [one.value for one in read.trials] == [one.value for one in trials]
    assert read.trials[0].params["i2i.swing.b"] == 0.5
    assert "i2i.swing.a1" not in read.trials[0].params


@pytest.mark.parametrize("left", [b'{"op_code":4,"worker_id":"x","stu', b"\x00\x00"])
def test_a_half_written_trial_is_taken_again(left: bytes, tmp_path: Path) -> None:
    trials = search(tmp_path, 3)
    proposed = open_study(tmp_path).propose()
    with (tmp_path / FILE).open("ab") as file:
        file.write(left)
    (tmp_path / f"{FILE}.lock").touch()  # what a killed process leaves behind
    study = open_study(tmp_path)
    assert study.trials == trials
    assert study.propose() == proposed
    assert len(search(tmp_path, 4)) == 4


def test_settings_that_do_not_fit_together_are_a_trial_without_a_value(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    study.add(Trial(0, FIRST, quality(FIRST)))
    settings = study.propose()
    study.add(Trial(1, settings, note="they do not fit"))
    assert open_study(tmp_path).trials[1].note == "they do not fit"
    assert best_of(study.trials) == study.trials[0]
    assert study.propose() != settings


def test_what_is_kept_beside_the_trials_is_there_again(tmp_path: Path) -> None:
    open_study(tmp_path).keep("gain", {"value": 0.1, "interval": None})
    assert open_study(tmp_path).attributes == {"gain": {"value": 0.1, "interval": None}}
