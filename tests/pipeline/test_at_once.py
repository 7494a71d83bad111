"""Executions of a stage side by side: as many as it allows; where one fails, none goes on."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.base.run_record import fingerprint_in
from llm_i2i_spark.base.stage import Stage
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lake.stage_run import StageRun
from llm_i2i_spark.pipeline.executions import execute_all
from llm_i2i_spark.sft.stage import STAGE as SFT
from tests.stage_runs import pinned_run, record_of

BRANCHES = [{"branch": f"branch_{number}"} for number in range(4)]


@dataclass(frozen=True)
class Meeting(Stage):
    """A stage whose executions wait for each other."""

    barrier: threading.Barrier = field(default_factory=lambda: threading.Barrier(2))

    def execute(self, run: StageRun) -> None:
        """End when two of them are at work."""
        self.barrier.wait(timeout=60)


@dataclass(frozen=True)
class Failing(Stage):
    """A stage whose first execution fails, while the second waits to be cancelled."""

    def execute(self, run: StageRun) -> None:
        """Fail, or wait."""
        if run.scopes[0] == BRANCHES[0]:
            raise StageError("The first one failed.")
        assert run.cancelled.wait(timeout=60)


def _executions(number: int) -> list:
    return [(Config(), pinned_run("sft", scopes=[branch])) for branch in BRANCHES[:number]]


def test_two_executions_are_at_work_at_the_same_time():
    stage = Meeting("sft", (), (), (), at_once=lambda config: 2)
    execute_all(None, stage, _executions(4))
    one_by_one = Meeting("sft", (), (), ())
    threading.Timer(1.0, one_by_one.barrier.abort).start()
    with pytest.raises(threading.BrokenBarrierError):
        execute_all(None, one_by_one, _executions(2))


def test_where_one_fails_the_others_are_cancelled_and_its_error_is_raised():
    stage = Failing("sft", (), (), (), at_once=lambda config: 2)
    with pytest.raises(StageError, match=r"The first one failed\."):
        execute_all(None, stage, _executions(2))


def test_a_base_model_is_fine_tuned_alone():
    assert SFT.at_once(load_config([], ["sft.base_model=/models/chat"])) == 1
    assert SFT.at_once(load_config([], ["sft.nproc_per_node=2"])) == 1
    assert SFT.at_once(load_config([], ["sft.executor_ranks=2"])) == 1


def test_jobs_that_commit_to_a_new_table_at_the_same_time_lose_no_rows(tmp_path: Path):
    config = load_config([], [f"lake.root={tmp_path}"])
    start = threading.Barrier(len(BRANCHES))

    def commit(branch: dict[str, str]) -> None:
        row = {**branch, "role": "generator", "model_digest": "d", "path": "p"}
        row |= {"base_model": "compact", "export_version": 0, "manifest": "{}"}
        start.wait(timeout=60)
        DeltaRsLake(config.lake).commit([row], record_of(config, "checkpoints", [branch]))

    jobs = [threading.Thread(target=commit, args=(branch,)) for branch in BRANCHES]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    lake = DeltaRsLake(config.lake)
    rows = lake.read("checkpoints", None, ["branch"])
    assert sorted(rows["branch"].to_pylist()) == [branch["branch"] for branch in BRANCHES]
    assert all(fingerprint_in(lake.history("checkpoints"), branch) == "x" for branch in BRANCHES)
