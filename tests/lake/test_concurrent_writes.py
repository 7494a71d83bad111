"""Two writers of one table: some order explains the result, and who loses tries again a bounded
number of times before it says so.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import ConcurrentWriteError
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.commit_attempts import ATTEMPTS, commit_again
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lake.tables import Lake, contract_schema
from tests.stage_runs import put_rows

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


@pytest.mark.spark
@pytest.mark.parametrize("table", ["fused", "metrics"])
def test_a_commit_of_spark_that_another_one_overtakes_is_made_again(
    spark: SparkSession, tmp_path: Path, caplog: pytest.LogCaptureFixture, table: str
) -> None:
    """Overwrite and overwrite of one scope; append and append."""
    config = load_config([], [f"lake.root={tmp_path / 'lake'}"])
    lake, frame = Lake(spark, config.lake), _rows(spark, table)
    first = put_rows(lake, config, table, frame, run_id="r0")
    started, overtaken = tmp_path / "started", tmp_path / "overtaken"

    def after_the_other(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        started.touch()
        while not overtaken.exists():
            time.sleep(0.02)
        yield from batches

    # In one task, so that the other writer has a core.
    slow = frame.coalesce(1).mapInPandas(after_the_other, frame.schema)
    versions: list[int] = []
    with caplog.at_level(logging.INFO, "llm_i2i_spark"):
        writer = threading.Thread(
            target=lambda: versions.append(_put(lake, config, table, slow, "slow"))
        )
        writer.start()
        while not started.exists():
            assert writer.is_alive()
            writer.join(0.02)
        assert _put(lake, config, table, frame, "fast") == first + 1
        overtaken.touch()
        writer.join(120)
    assert versions == [first + 2]
    appended = TABLES[table].append
    assert any("attempt 2/" in message for message in caplog.messages) != appended
    assert lake.read(table).count() == frame.count() * (3 if appended else 1)
    runs = [one.record.run_id for one in lake.history(table, 2) if one.record]
    assert runs == ["slow", "fast"]


def _rows(spark: SparkSession, table: str) -> DataFrame:
    rows = {
        "fused": [("real", "u1", "i1", 1.0, "real", None, None, 0)],
        "metrics": [("r", "real", "swing", "refit", "all", "recall", 10, 0.1, None, None, 5)],
    }
    return spark.createDataFrame(rows[table], contract_schema(TABLES[table]))


def _put(lake: Lake, config: Config, table: str, frame: DataFrame, run_id: str) -> int:
    scopes = [{"variant": "real"}] if TABLES[table].scope == ("variant",) else None
    return put_rows(lake, config, table, frame, scopes, run_id=run_id)
