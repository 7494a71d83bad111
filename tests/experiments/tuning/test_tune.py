"""A search on a log of 150 users, interrupted and gone on with, beside a project's own tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from llm_i2i_spark import Project
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.base.variants import REAL
from llm_i2i_spark.datasets.tables import write_synthetic
from llm_i2i_spark.experiments.tuning.result import TuningResult
from llm_i2i_spark.experiments.tuning.space import find_space
from llm_i2i_spark.experiments.tuning.study import Study
from llm_i2i_spark.experiments.tuning.trial import Trial
from llm_i2i_spark.experiments.tuning.trial_lake import TrialLake, validation_config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake

METRIC = "ndcg@10"
SPACE = {"swing.b": (0, 1), "swing.a1": "0.1:20:log", "index.decay": [0.5, 1]}
SEARCHED = ("i2i.swing.a1", "i2i.swing.b", "index.decay")


class StoppedError(Exception):
    """What ends the first search."""


@dataclass
class Searched:
    """A project with an index of its own, and a search of three trials beside it."""

    project: Project
    versions: dict[str, int]
    result: TuningResult
    seen: list[Trial] = field(default_factory=list)


def versions_of(project: Project) -> dict[str, int]:
    lake = DeltaRsLake(project.config.lake)
    found = {table: lake.version(table) for table in ("fused", "item_similarity", "item_index")}
    return {table: version for table, version in found.items() if version is not None}


@pytest.fixture(scope="module")
def searched(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Searched:
    """The project is run, the search ended after its first trial; the index of the second is there
    when it is gone on with, as if it had been killed before it was measured.
    """
    folder = tmp_path_factory.mktemp("tuned")
    interactions, items = write_synthetic(folder, 150, 120, 7)
    project = Project(
        folder / "lake",
        interactions=interactions,
        items=items,
        # Not the default, so that the search must follow what the evaluation is told.
        settings={"evaluate.bootstrap": 50, "evaluate.remove_seen": False},
    )
    project.run(variants=("real",), last="index")
    versions, seen = versions_of(project), []

    def stop(trial: Trial) -> None:
        seen.append(trial)
        raise StoppedError

    with pytest.raises(StoppedError):
        project.tune(METRIC, SPACE, "real", trials=3, on_trial=stop)
    _make_the_next_index(project)
    result = project.tune(METRIC, SPACE, "real", trials=3, on_trial=seen.append)
    return Searched(project, versions, result, seen)


def _make_the_next_index(project: Project) -> None:
    lake = TrialLake(project, validation_config(project.config), REAL, "swing")
    space = find_space(lake.config, REAL, "swing", lake.stages, SPACE)
    (folder,) = Path(str(lake.config.lake.root), "studies").iterdir()
    lake.make(lake.with_settings(Study(folder, space, lake.config.seed).propose()))


def test_trials_share_what_does_not_depend_on_what_is_searched(searched: Searched) -> None:
    trials = searched.result.trials
    assert [trial.number for trial in trials] == [0, 1, 2]
    assert trials[0].stages == ("ingest", "fuse", "i2i", "index")
    assert trials[1].stages == ()  # made by the search that was killed
    assert trials[2].stages == ("i2i", "index")
    assert list(trials) == searched.seen


def test_the_current_settings_are_tried_first_and_nothing_is_worse(searched: Searched) -> None:
    result, config = searched.result, searched.project.config
    assert result.current is result.trials[0]
    assert result.current.settings == {
        "i2i.swing.a1": config.i2i.parameters("swing").a1,
        "i2i.swing.b": config.i2i.parameters("swing").b,
        "index.decay": config.index.decay,
    }
    assert result.best.value == max(trial.value for trial in result.trials)
    if result.best is not result.current:
        assert result.gain is not None
        difference = result.best.value - result.current.value
        assert result.gain.value == pytest.approx(difference, abs=1e-12)
        low, high = result.gain.interval
        assert low <= result.gain.value <= high


def test_the_projects_own_tables_and_results_stay_as_they_were(searched: Searched) -> None:
    assert versions_of(searched.project) == searched.versions
    assert searched.project.explain(variants=("real",), last="index").up_to_date


def test_a_trial_has_the_value_that_the_evaluation_finds(searched: Searched) -> None:
    last = searched.result.trials[-1]
    shared = validation_config(searched.project.config)
    project = Project(settings=dict(last.settings), config=shared)
    found = project.compare(variants=("real",)).figures["all"][METRIC]["real"]
    assert found["value"] == pytest.approx(last.value, abs=1e-12)
    assert tuple(found["interval"]) == pytest.approx(last.interval, abs=1e-12)
    fused = project.table("fused").count()
    folds = project.table("interactions").groupBy("fold").count().collect()
    assert fused == next(row["count"] for row in folds if row["fold"] == "train")


def test_a_search_that_has_enough_trials_starts_none(
    searched: Searched, caplog: pytest.LogCaptureFixture
) -> None:
    project = Project(config=searched.project.config)  # opens no session of its own
    with caplog.at_level("INFO", logger="llm_i2i_spark"):
        again = project.tune(METRIC, SPACE, "real", trials=2)
    assert again == searched.result
    assert "has 3 trials already" in caplog.text
    assert "lake" not in vars(project)


def test_old_trials_leave_no_files_but_the_indexes_that_are_compared(searched: Searched) -> None:
    root = Path(searched.project.root, "experiments")
    lake = DeltaRsLake(LakeConfig(root=str(root)))
    assert lake.version("item_similarity") == 3
    assert lake.lost_files("item_similarity") == []
    assert lake.lost_files("item_similarity", 1)
    assert lake.lost_files("item_index") == []
    trials = TrialLake(searched.project, validation_config(searched.project.config), REAL, "swing")
    for one in (searched.result.current, searched.result.best):
        assert trials._version_of(trials.with_settings(one.settings)) is not None


def test_table_words_and_page_say_what_was_found(searched: Searched) -> None:
    result = searched.result
    frame = result.to_pandas()
    assert list(frame["trial"]) == [0, 1, 2]
    assert list(frame["value"]) == [trial.value for trial in result.trials]
    assert set(SEARCHED) <= set(frame.columns)
    assert Path(result.folder, "trials.csv").read_text().count("\n") == 4
    best = Project(settings=result.settings, config=searched.project.config).config
    assert best.settings(*SEARCHED) == result.settings
    page = Path(result.report).read_text(encoding="utf-8")
    assert page.count("<svg") == 1 + len(SEARCHED)
    assert "src=" not in page
    for trial in result.trials:
        assert f"{trial.value:.4f}" in page
        assert f"{trial.value:.4f}" in str(result)
