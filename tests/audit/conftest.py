"""Lakes with a history: every table upstream was written before and after the versions that the
index was made from.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.tables import Lake
from llm_i2i_spark.project import Project
from tests.audit.commits import REAL, SWING, OldWriter, Writer
from tests.audit.example_lake import (
    SETTINGS,
    Lists,
    neighbor,
    write_backbones,
    write_later,
    write_llm_cf,
    write_used,
)
from tests.pipeline.test_two_runs import write_log


@dataclass(frozen=True)
class History:
    """The lake, the settings it was made with, and the lists that each variant's similarities come
    from.
    """

    lake: Lake
    config: Config
    root: Path
    lists: dict[str, Lists]


@pytest.fixture(scope="session")
def history(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> History:
    """Three runs: an earlier index, the run that the latest index comes from, later versions of all
    the rest.
    """
    root = tmp_path_factory.mktemp("history")
    config = load_config([], [f"lake.root={root}", *SETTINGS])
    lake = Lake(spark, config.lake)
    past = [("real", "swing", "A", [neighbor("E", 1.0, 1)])]
    write = Writer(lake, config, "20260101T000000-past")
    write("item_index", past, {"item_similarity": 0}, [REAL | SWING])
    lists = write_used(Writer(lake, config, "20260102T000000-used"))
    write_later(Writer(lake, config, "20260103T000000-late"))
    return History(lake, config, root, lists)


@pytest.fixture(scope="session")
def old_history(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> History:
    """The run that an index comes from, as version 0.1 left it."""
    root = tmp_path_factory.mktemp("old_history")
    config = load_config([], [f"lake.root={root}", *SETTINGS])
    lake = Lake(spark, config.lake)
    lists = write_used(OldWriter(lake, config, "20250101T000000-past"))
    return History(lake, config, root, lists)


@pytest.fixture(scope="session")
def with_backbones(history: History, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A copy of the lake that has indexes of further backbones, made from the interactions that the
    index of Swing was made from.
    """
    lake, _ = _copy(history, tmp_path_factory.mktemp("backbones"))
    write_backbones(Writer(lake, history.config, "20260105T000000-more"), fused=1)
    return lake


@pytest.fixture(scope="session")
def with_llm_cf(history: History, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, Lists]:
    """A copy of the lake that has an index of variant llm_cf, and the lists that its similarities
    come from.
    """
    lake, _ = _copy(history, tmp_path_factory.mktemp("llm_cf"))
    return lake, write_llm_cf(Writer(lake, history.config, "20260106T000000-rival"), 0)


@pytest.fixture(scope="session")
def finished(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """A project after a real run up to the index, without models, and the id of the run."""
    folder = tmp_path_factory.mktemp("finished")
    log = write_log(folder / "clicks.csv", 8, "a")
    project = Project(folder / "lake", interactions=log, settings={"index.size": 3})
    return project, project.run(("real",), last="index").run_id


@pytest.fixture
def copied(history: History, tmp_path: Path) -> tuple[Lake, Path]:
    """A copy of the lake that a test may spoil, and its folder."""
    return _copy(history, tmp_path)


@pytest.fixture
def old_copied(old_history: History, tmp_path: Path) -> Lake:
    """A copy of the lake of version 0.1 that a test may write to."""
    return _copy(old_history, tmp_path)[0]


def _copy(history: History, folder: Path) -> tuple[Lake, Path]:
    root = folder / "lake"
    shutil.copytree(history.root, root)
    return Lake(history.lake.spark, load_config([], [f"lake.root={root}"]).lake), root
