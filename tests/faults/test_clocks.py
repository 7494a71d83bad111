"""Clocks that jump: of the commits of a table the last one counts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.lake.delta_rs import DeltaRsLake

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
COMMIT = """
import sys
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from tests.faults.test_disks import embeddings
from tests.stage_runs import record_of
config, number = load_config([], [f"lake.root={sys.argv[1]}"]), int(sys.argv[2])
scope = {"variant": "real", "backbone": "bpr"}
record = record_of(config, "item_embeddings", [scope], fingerprint=f"f{number}")
DeltaRsLake(config.lake).commit(embeddings(number), record)
"""


def at(offset: str, zone: str) -> dict[str, str]:
    """An environment whose clock is so many days off, in a time zone."""
    if not LIBRARIES:
        pytest.skip("libfaketime is not on this machine")
    return {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME": offset,
        # What waits counts with the monotonic clock, which no jump of the other one moves.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "TZ": zone,
    }


def run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.faults("F14", end="same", slow=True)
def test_of_commits_the_last_one_counts_whatever_the_clock_said(tmp_path: Path) -> None:
    offsets = ("+0d", "-2000d", "+3000d", "-1d")
    for number, offset in enumerate(offsets):
        run([sys.executable, "-c", COMMIT, str(tmp_path), str(number)], at(offset, "UTC"))
    lake = DeltaRsLake(LakeConfig(root=str(tmp_path)))
    commits = lake.history("item_embeddings")
    assert [one.record.scopes["variant=real,backbone=bpr"].fingerprint for one in commits] == [
        f"f{number}" for number in reversed(range(len(offsets)))
    ]
    years = {one.timestamp.year for one in commits}
    assert len(years) == 3, "the clock was not moved"
