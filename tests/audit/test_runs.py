"""Runs as the commits tell them, a stranger's commit among them."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from pyspark.sql import SparkSession

from llm_i2i_spark.audit.runs import list_runs, runs_lines
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.tables import Lake

pytestmark = pytest.mark.spark


def test_runs_are_grouped_and_the_newest_is_first(history) -> None:
    runs = list_runs(history.lake)
    known = [run for run in runs if run.run_id]
    assert [run.run_id[-4:] for run in known] == ["late", "used", "past"]
    assert [run.time for run in runs] == sorted((run.time for run in runs), reverse=True)
    stages = {stage.stage: stage for stage in known[1].stages}
    assert list(stages) == [
        "ingest",
        "export",
        "sft",
        "generate",
        "discriminate",
        "fuse",
        "i2i",
        "index",
    ]
    assert [(c.table, c.version) for c in stages["ingest"].commits] == [
        ("interactions", 0),
        ("items", 0),
    ]
    assert (
        stages["fuse"].commits[0].rows == 2 * 14 + 4
    )  # the real rows in both variants, and the synthetic ones in one
    assert stages["ingest"].sources == {"clicks.csv": "c5" * 32}
    assert stages["generate"].inputs == {"interactions": 0, "items": 0, "checkpoints": 0}
    assert stages["generate"].model_digest == "9e" * 32
    assert stages["fuse"].model_digest is None
    assert {stage.config_digest for stage in stages.values()} == {history.config.digest()}


def test_a_commit_without_a_record_is_shown_as_such(history) -> None:
    strangers = [run for run in list_runs(history.lake) if run.run_id is None]
    assert [
        (run.stages[0].stage, run.stages[0].commits[0].table, run.stages[0].commits[0].operation)
        for run in strangers
    ] == [(None, "fused", "SET TBLPROPERTIES")]


def test_lines_and_json(history) -> None:
    runs = list_runs(history.lake)
    text = "\n".join(runs_lines(runs))
    assert "run 20260102T000000-used" in text
    assert "from interactions v0, items v0, checkpoints v0, model 9e9e9e9e9e9e" in text
    assert "fused v2 (rows unknown) by SET TBLPROPERTIES, not by this package" in text
    assert (
        json.loads(json.dumps([asdict(run) for run in runs]))[0]["run_id"] == "20260103T000000-late"
    )


def test_an_empty_lake_says_how_to_start(spark: SparkSession, tmp_path) -> None:
    runs = list_runs(Lake(spark, load_config([], [f"lake.root={tmp_path}"]).lake))
    assert runs == []
    assert "llm-i2i run" in runs_lines(runs)[0]
