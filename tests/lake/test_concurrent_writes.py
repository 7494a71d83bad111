"""Two writers of one table: some order explains the result, and who loses tries again a bounded
number of times before it says so.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from llm_i2i_spark.base.errors import ConcurrentWriteError
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.lake.commit_attempts import ATTEMPTS, commit_again
from llm_i2i_spark.lake.delta_rs import DeltaRsLake

WRITER = """
import sys
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from tests.stage_runs import record_of

root, branch = sys.argv[1:]
config = load_config([], [f"lake.root={root}"])
lake = DeltaRsLake(config.lake)
print("ready", flush=True)
sys.stdin.readline()
for number in "123":
    scope, run = {"branch": branch}, {"run_id": branch + number, "fingerprint": branch + number}
    row = {"role": "generator", "model_digest": number, "path": "p", "base_model": "compact"}
    row |= {"export_version": 0, "manifest": "{}"}
    lake.commit([scope | row], record_of(config, "checkpoints", [scope], **run))
"""


def test_two_processes_that_commit_without_a_jvm_both_end(tmp_path: Path) -> None:
    """Neither can lose more often than the other one commits, which is less than `ATTEMPTS`."""
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    pipe = subprocess.PIPE
    writers = [
        subprocess.Popen([*command, branch], stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        for branch in ("one", "two")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    ends = [writer.communicate(timeout=60) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], ends
    lake = DeltaRsLake(LakeConfig(root=str(tmp_path)))
    assert len(lake.history("checkpoints")) == 6
    found = lake.read("checkpoints", None, ["branch", "model_digest"]).to_pylist()
    assert {(row["branch"], row["model_digest"]) for row in found} == {("one", "3"), ("two", "3")}
    assert len(list((tmp_path / "checkpoints").glob("*.parquet"))) <= 6


def test_who_loses_at_every_attempt_says_so() -> None:
    attempts = []

    def lose() -> None:
        attempts.append(1)
        raise ConcurrentWriteError("Another run wrote the same table.")

    with pytest.raises(ConcurrentWriteError):
        commit_again("fused", lose)
    assert len(attempts) == ATTEMPTS
