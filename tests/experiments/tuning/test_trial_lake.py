"""What a study is of: another log or another option makes a new one. No Spark."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import pytest

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.variants import find_variant
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.experiments.tuning.trial_lake import TrialLake, validation_config

SEARCHED = ("i2i.swing.b", "index.decay")


class SettingsAlone:
    """A project of which only the settings are looked at."""

    def __init__(self, config: Config) -> None:
        self.config = config

    @property
    def lake(self) -> NoReturn:
        raise AssertionError("a session was opened")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "clicks.csv"
    path.write_text("user_id,item_id,ts\nu,a,1\nu,b,2\n", encoding="utf-8")
    return path


def lake_of(
    log: Path, variant: str = "real", backbone: str = "swing", **settings: Any
) -> TrialLake:
    given = {"lake.root": str(log.parent / "lake"), "ingest.interactions": str(log)}
    changed = {key.replace("__", "."): value for key, value in settings.items()}
    config = load_config(overrides=given | changed)
    project = SettingsAlone(config)
    return TrialLake(project, validation_config(config), find_variant(variant), backbone)


def identity(log: Path, **settings: Any) -> str:
    return lake_of(log, **settings).identity(SEARCHED)


def test_a_study_depends_on_everything_but_what_is_searched(log: Path) -> None:
    same = identity(log)
    assert same == identity(log)
    assert same == identity(log, i2i__swing__b=0.7)
    assert same == identity(log, index__decay=0.5)
    assert same == identity(log, i2i__blocks=8)  # changes no result
    assert same == identity(log, split__protocol="refit", evaluate__target="test")
    others = [
        identity(log, i2i__swing__a1=3),
        identity(log, index__recent_items=5),
        identity(log, evaluate__bootstrap=50),
        identity(log, seed=7),
        identity(log, backbone="bm25"),
        identity(log, variant="llm_i2i"),
        lake_of(log).identity(["i2i.swing.a1"]),
    ]
    log.write_text("user_id,item_id,ts\nu,a,1\nu,b,2\nu,c,3\n", encoding="utf-8")
    assert len({same, *others, identity(log)}) == len(others) + 2


def test_trials_never_look_at_the_test_fold(log: Path) -> None:
    lake = lake_of(log, split__protocol="refit", evaluate__target="test")
    for config in (lake.config, lake.with_settings({"i2i.swing.b": 0.1})):
        assert config.evaluate.target == "valid"
        assert config.query_folds == ("train",)
        assert config.model_folds == ("train",)


def test_trials_have_a_lake_of_their_own(log: Path) -> None:
    config = lake_of(log, lake__schema="main.clicks").config
    assert config.lake.root == str(log.parent / "lake" / "experiments")
    assert config.lake.schema_name is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"lake__root": "s3://bucket/lake"}, "set lake.root to a folder"),
        ({"split__holdout": "none"}, "nothing to evaluate"),
        ({"split__holdout": "last_1"}, "set it to last_2"),
    ],
)
def test_without_a_folder_or_a_validation_fold_there_is_no_search(
    settings: dict[str, str], words: str, log: Path
) -> None:
    with pytest.raises(ConfigError, match=words):
        lake_of(log, **settings)


def test_settings_that_do_not_fit_together_are_refused_in_their_trial(log: Path) -> None:
    lake = lake_of(log, variant="llm_i2i")
    shares = {"export.hard_negatives_share": 0.8, "export.popular_negatives_share": 0.8}
    with pytest.raises(ConfigError, match="add up to more than"):
        lake.with_settings(shares)
