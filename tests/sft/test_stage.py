"""The stage as a parent process: it follows the job, ends it with itself, reports what failed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import psutil
import pytest
from deltalake import DeltaTable

from llm_i2i_spark.base.errors import ConfigError, StageError, UserError
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.sft.stage import STAGE
from tests.stage_runs import record_of, run_stage

pytestmark = pytest.mark.lm
PARENT = """
import sys
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.sft.stage import STAGE
from tests.stage_runs import record_of, run_stage
config = load_config([sys.argv[1]])
reads = dict.fromkeys(STAGE.reads, 0)
run_stage(STAGE, DeltaRsLake(config.lake), config, reads, [{"branch": "base"}], "r1")
"""


def fine_tune(lake: Any, config: Config, **versions: int) -> None:
    reads = {**dict.fromkeys(STAGE.reads, 0), **versions}
    run_stage(STAGE, lake, config, reads, [{"branch": "base"}], "r1")


def wait_for(condition, seconds=240.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)
    return found


def test_killed_in_the_middle_the_job_dies_too_and_the_next_start_ends_with_the_same_models(
    finished_lake, tiny, run_here, tmp_path
):
    finished, _ = finished_lake
    root = tiny.write_lake(tmp_path)
    path = tiny.write_config(root, {"checkpoint_every": 2})
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(path)], env=tiny.environment(), stderr=subprocess.DEVNULL
    )
    unfinished = root / "checkpoints_files" / "_partial"
    wait_for(
        lambda: (
            list(unfinished.glob("*/generator/epoch-*/manifest.json")) or parent.poll() is not None
        )
    )
    children = psutil.Process(parent.pid).children(recursive=True)
    assert children
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_for(
        lambda: (
            not any(
                child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children
            )
        ),
        20,
    )
    assert not (root / "checkpoints").exists()

    _, notes = run_here(path)
    assert any("resumed the generator" in note or "already trained" in note for note in notes)
    names = [
        sorted(p.name for p in (lake / "checkpoints_files").iterdir()) for lake in (root, finished)
    ]
    assert names[0] == names[1]  # the names hold the digests of all weights
    record = json.loads(DeltaTable(str(root / "checkpoints")).history(1)[0]["userMetadata"])
    assert (record["run_id"], record["scopes"]["branch=base"]["fingerprint"]) == ("r1", "x")


def test_a_mistake_of_the_user_comes_back_as_one(tmp_path):
    lake = DeltaRsLake(LakeConfig(root=str(tmp_path)))
    elsewhere = Config.model_validate({"lake": {"root": "s3://bucket/lake"}})
    with pytest.raises(ConfigError, match="as a mounted folder"):
        fine_tune(lake, elsewhere)


def test_a_failure_names_its_reason_and_the_log(tiny, tmp_path):
    root = tiny.write_lake(tmp_path)
    config = load_config([tiny.write_config(root, {"learning_rate": 1e38, "warmup_share": 0.0})])
    with pytest.raises(StageError, match=r"loss is not a number in epoch 1.*sft\.log"):
        fine_tune(DeltaRsLake(config.lake), config)
    assert not (root / "checkpoints").exists()


def test_a_uri_is_refused_before_a_process_starts():
    class ObjectStore:
        def path(self, table: str) -> str:
            return f"s3://bucket/{table}"

    with pytest.raises(UserError, match="is a URI"):
        fine_tune(ObjectStore(), Config())


def test_a_commit_is_added_once_for_a_fingerprint_and_leaves_other_branches(tmp_path):
    lake = DeltaRsLake(LakeConfig(root=str(tmp_path), retention_days=7))

    def commit(branch: str, fingerprint: str) -> tuple[int, bool]:
        row = {"branch": branch, "role": "generator", "model_digest": fingerprint, "path": "p"}
        row |= {"base_model": "compact", "export_version": 3, "manifest": "{}"}
        scopes = [{"branch": branch}]
        return lake.commit(
            [row], record_of(Config(), "checkpoints", scopes, fingerprint=fingerprint)
        )

    assert commit("base", "f") == (0, True)
    assert commit("base", "f") == (0, False)
    assert commit("no_long_tail_loss", "g") == (1, True)
    assert commit("base", "h") == (2, True)
    assert commit("no_long_tail_loss", "g") == (2, False)
    found = lake.read("checkpoints", 2, ["branch", "model_digest"]).to_pylist()
    assert {row["branch"]: row["model_digest"] for row in found} == {
        "base": "h",
        "no_long_tail_loss": "g",
    }
    base = lake.read("checkpoints", None, ["model_digest"], {"branch": "base"})
    assert base.to_pylist() == [{"model_digest": "h"}]
    assert (
        DeltaTable(lake.path("checkpoints"))
        .metadata()
        .configuration["delta.deletedFileRetentionDuration"]
        == "interval 7 days"
    )


@pytest.mark.faults("F12", end="error")
def test_a_damaged_page_is_an_error_and_not_a_wrong_example(tmp_path, tiny):
    root = tiny.write_lake(tmp_path)
    file = next((root / "items").glob("*.parquet"))
    os.truncate(file, file.stat().st_size - 100)
    with pytest.raises(UserError, match=f"The file {file} is damaged; move it away"):
        DeltaRsLake(LakeConfig(root=str(root))).read("items", 0, ["item_id", "text"])
