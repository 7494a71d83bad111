"""The whole job on a tiny shop: every stage for real, then lookup, export, trace; and a run that is
killed twice.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.e2e


class Finished(NamedTuple):
    """A lake after `llm-i2i run`, its arguments, and what the run said as JSON."""

    lake: Path
    arguments: list[str]
    summary: dict[str, Any]


@pytest.fixture(scope="module")
def finished(shop: Any, llm_i2i: Any, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    lake = tmp_path_factory.mktemp("finished") / "lake"
    arguments = shop.arguments(lake)
    return Finished(lake, arguments, json.loads(llm_i2i.run("run", "--json", *arguments)))


def test_a_run_leaves_summary_report_and_all_tables(finished: Finished) -> None:
    summary = finished.summary
    assert summary == json.loads((finished.lake / "summary.json").read_text())
    stages = [
        "ingest",
        "export",
        "sft",
        "generate",
        "discriminate",
        "fuse",
        "i2i",
        "index",
        "evaluate",
    ]
    assert [stage["stage"] for stage in summary["stages"]] == stages
    for variant in ("real", "llm_i2i"):
        figure = summary["metrics"]["variants"][variant]["all"]["recall@10"]
        assert figure["interval"][0] <= figure["value"] <= figure["interval"][1]
    assert Path(summary["report"]).read_text().lower().startswith("<!doctype html>")
    assert summary["tables"]["candidates"]["rows"] == 150 * 5


def test_the_same_command_again_finds_everything_up_to_date(
    finished: Finished, llm_i2i: Any
) -> None:
    again = json.loads(llm_i2i.run("run", "--json", *finished.arguments))
    assert all(stage["up_to_date"] for stage in again["stages"])
    assert again["tables"] == finished.summary["tables"]
    assert again["metrics"] == finished.summary["metrics"]


def test_lookup_export_and_trace_read_the_index(
    finished: Finished, llm_i2i: Any, tmp_path: Path
) -> None:
    first = _index(llm_i2i, finished.arguments, tmp_path / "index.parquet")[0]
    looked = llm_i2i.run("lookup", *finished.arguments, "--items", first["item_id"], "--k", "3")
    assert json.loads(looked.splitlines()[0])["item_id"] == first["neighbor_id"]
    edge = ("--item", first["item_id"], "--neighbor", first["neighbor_id"])
    assert first["neighbor_id"] in llm_i2i.run("audit", "trace", *finished.arguments, *edge)
    assert "item_index" in llm_i2i.run("audit", "runs", *finished.arguments)


@pytest.mark.faults
def test_a_run_killed_in_sft_and_in_generate_ends_with_the_same_index(
    shop: Any, llm_i2i: Any, finished: Finished, tmp_path: Path
) -> None:
    arguments = shop.arguments(tmp_path / "lake")
    for stage in ("sft", "generate"):
        _kill_in(stage, llm_i2i.start("run", *arguments))
    done = json.loads(llm_i2i.run("run", "--json", *arguments))
    assert {stage["stage"] for stage in done["stages"] if stage["up_to_date"]} == {
        "ingest",
        "export",
        "sft",
    }
    killed = _index(llm_i2i, arguments, tmp_path / "killed.parquet")
    assert killed == _index(llm_i2i, finished.arguments, tmp_path / "whole.parquet")


def _kill_in(stage: str, process: Any) -> None:
    """SIGKILL a command with all its children a second after a stage began."""
    assert any(f"] {stage}: reads" in line for line in process.stderr), (
        f"the run ended before stage {stage} began"
    )
    time.sleep(1.0)
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    psutil.wait_procs(children, timeout=30)
    process.stderr.close()
    process.stdout.close()


def _index(llm_i2i: Any, arguments: list[str], out: Path) -> list[dict[str, Any]]:
    llm_i2i.run("index-export", *arguments, "--out", str(out))
    return sorted(pq.read_table(out).to_pylist(), key=lambda row: (row["item_id"], row["rank"]))
