"""Runs as the commits tell them, a foreign commit among them, without a JVM."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict

import pytest

from llm_i2i_spark.audit.runs import list_runs, runs_lines, scopes_text
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def runs(history):
    return list_runs(DeltaRsLake(history.config.lake))


def test_runs_are_grouped_and_the_newest_is_first(history, runs) -> None:
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


def test_a_commit_without_a_record_is_shown_as_such(runs) -> None:
    foreign = [run for run in runs if run.run_id is None]
    assert [
        (run.stages[0].stage, run.stages[0].commits[0].table, run.stages[0].commits[0].operation)
        for run in foreign
    ] == [(None, "fused", "SET TBLPROPERTIES")]


def test_lines_and_json(runs) -> None:
    text = "\n".join(runs_lines(runs))
    assert "run 20260102T000000-used" in text
    assert "from interactions v0, items v0, checkpoints v0, model 9e9e9e9e9e9e" in text
    assert "fused v1 (rows unknown) by SET TBLPROPERTIES, not by this package" in text
    values = json.loads(json.dumps([asdict(run) for run in runs]))
    assert values[0]["run_id"] == "20260103T000000-late"


def test_the_results_that_a_commit_wrote_are_named(runs) -> None:
    used = next(run for run in runs if run.run_id == "20260102T000000-used")
    commits = {commit.table: commit for stage in used.stages for commit in stage.commits}
    assert commits["interactions"].scopes == ()
    assert commits["scored"].scopes == ({"branch": "base"},)
    assert commits["fused"].scopes == ({"variant": "llm_i2i"}, {"variant": "real"})
    text = "\n".join(runs_lines(runs))
    assert "scored v0 (5 rows) for branch base from" in text
    assert "fused v0 (32 rows) for llm_i2i, real from" in text
    assert "rows) for llm_i2i, real (swing) from item_similarity v0" in text
    assert "item_index v2 (1 rows) for real (bm25) from" in text


def test_variants_are_named_by_backbone() -> None:
    systems = [("real", "swing"), ("real", "bm25"), ("llm_i2i", "swing")]
    scopes = [{"variant": variant, "backbone": backbone} for variant, backbone in systems]
    assert scopes_text(scopes) == " for real, llm_i2i (swing); real (bm25)"
    assert scopes_text([]) == ""


def test_listing_runs_needs_no_spark(history) -> None:
    code = (
        "import sys; from llm_i2i_spark.__main__ import main;"
        f" main(['audit', 'runs', '--set', 'lake.root={history.root}']);"
        " print([one for one in ('pyspark', 'numba', 'torch') if one in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "run 20260102T000000-used" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_empty_lake_says_how_to_start(tmp_path) -> None:
    found = list_runs(DeltaRsLake(load_config([], [f"lake.root={tmp_path}"]).lake))
    assert found == []
    assert "llm-i2i run" in runs_lines(found)[0]
