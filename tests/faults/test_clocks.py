"""Clocks that jump, another time zone, sources from the future: the same rows, and what is up to
date stays so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.datasets.tables import write_synthetic
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


def rows_of(root: Path) -> list[dict[str, Any]]:
    lake = DeltaRsLake(LakeConfig(root=str(root)))
    columns = ["item_id", "neighbor_id", "similarity", "support"]
    found = lake.read("item_similarity", None, columns).to_pylist()
    return sorted(found, key=lambda row: (row["item_id"], row["neighbor_id"]))


@pytest.mark.e2e
@pytest.mark.faults("F14", end="same", slow=True)
def test_a_run_at_another_time_in_another_zone_has_the_same_rows_and_stays_up_to_date(
    tmp_path: Path,
) -> None:
    interactions, items = write_synthetic(tmp_path / "raw", 80, 60, 7)
    settings = [
        f"ingest.interactions={interactions}",
        f"ingest.items={items}",
        "spark.master=local[1]",
        "spark.short_jobs=true",
    ]
    arguments = [part for setting in settings for part in ("--set", setting)]
    command = [sys.executable, "-m", "llm_i2i_spark", "run", "--json", "--variants", "real"]
    command += ["--to", "i2i", *arguments, "--set"]
    first, second = tmp_path / "first", tmp_path / "second"
    run([*command, f"lake.root={first}"], at("+3000d", "Asia/Kathmandu"))
    run([*command, f"lake.root={second}"], at("-2000d", "America/St_Johns"))
    assert rows_of(first) == rows_of(second) != []
    future = 4_000_000_000
    os.utime(interactions, (future, future))
    again = json.loads(run([*command, f"lake.root={first}"], at("-100d", "UTC")))
    assert [stage["up_to_date"] for stage in again["stages"]] == [True] * len(again["stages"])
