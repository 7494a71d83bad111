"""Executors and Python workers that die while stages run on a cluster: Spark tries again, and what
is written is what it would have been.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.spark, pytest.mark.lm]
Ends = Callable[[str], dict[str, Any]]
Record = Callable[[str, object], None]


class Cluster:
    """The program `tests.faults.cluster`, whose scenarios run one after the other."""

    def __init__(self, folder: Path, group: str) -> None:
        self.errors, self.ends = folder / "stderr", dict[str, dict[str, Any]]()
        environment = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "OMP_NUM_THREADS": "1",
        }
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.cluster", str(folder), group],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
            )

    def __call__(self, name: str) -> dict[str, Any]:
        """The end of a scenario, when it has ended."""
        assert self.process.stdout is not None
        while name not in self.ends:
            line = self.process.stdout.readline()
            assert line, self.errors.read_text()[-3000:]
            if line.startswith("{"):  # libraries print lines of their own
                end = json.loads(line)
                self.ends[end["name"]] = end
        return self.ends[name]


def _cluster(group: str) -> Any:
    @pytest.fixture(scope="module", name=group)
    def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ends]:
        cluster = Cluster(tmp_path_factory.mktemp(group), group)
        yield cluster
        cluster.process.terminate()
        cluster.process.wait()

    return cluster


similarities, models = _cluster("similarities"), _cluster("models")


def same_after_a_retry(end: dict[str, Any], record: Record) -> None:
    """Check that a scenario struck, was tried again and ended with the same rows; report counts."""
    record("retries", end["retries"])
    if "rows again" in end:
        record("rows again", end["rows again"])
    assert end["struck"]
    assert end["error"] is None
    assert end["same"]
    assert end["retries"] >= 1


@pytest.mark.faults("F1", end="same", slow=True)
def test_an_executor_killed_while_it_maps(similarities: Ends, record_property: Record) -> None:
    same_after_a_retry(similarities("executor in map"), record_property)


@pytest.mark.faults("F2", end="same", slow=True)
def test_an_executor_killed_after_shuffle_files_were_written(
    similarities: Ends, record_property: Record
) -> None:
    same_after_a_retry(similarities("executor after shuffle"), record_property)


@pytest.mark.faults("F3", end="same", slow=True)
def test_all_python_workers_killed_while_a_model_runs(
    models: Ends, record_property: Record
) -> None:
    same_after_a_retry(models("workers in generate"), record_property)
