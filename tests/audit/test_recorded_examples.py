"""The outputs in docs/audit.md are what the commands print. To record them again:
RECORD_EXAMPLES=1 python -m pytest tests/audit/test_recorded_examples.py
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from llm_i2i_spark.cli.main import main

pytestmark = pytest.mark.spark
RECORDED = Path(__file__).resolve().parents[2] / "docs" / "recorded"
USED = "20260102T000000-used"
COMMANDS = {
    "runs": (["runs"], 0),
    "trace": (["trace", "--item", "A", "--neighbor", "B", "--users", "2"], 0),
    "trace_user": (["trace", "--user", "u4", "--entries", "4"], 0),
    "diff": (["diff", "0", "1", "--examples", "2"], 0),
    "verify": (["verify"], 1),  # the example lake names models that are not there
    "rollback": (["rollback", USED], 0),
}
CHANGING = {
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC)": "2026-11-26T05:44:10Z",
    r"since \d{4}-\d\d-\d\d": "since 2026-11-26",
    r"\d{8}T\d{6}-[0-9a-f]{4}\b": "20261126T054410-3f9c",
    r"[\d.]+ (B|kB|MB)\b": "1.5 kB",
    r"\b(settings|v|digest) ?[0-9a-f]{12}\b": r"\1 08b149e66ca5",
    r"code \d+\.\d+\.\d+[\w.]*": "code 1.0.0",
}
"""What differs from one recording to the next, and what stands for it."""


def _shown(text: str) -> str:
    for pattern, stands in CHANGING.items():
        text = re.sub(pattern, stands, text)
    return text


def _require_recorded(name: str, shown: str) -> None:
    path = RECORDED / f"{name}.txt"
    if os.environ.get("RECORD_EXAMPLES"):
        path.write_text(_shown(shown))
    assert _shown(shown) == path.read_text(), f"record {path.name} again"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_prints_what_the_page_shows(name, history, capsys) -> None:
    arguments, code = COMMANDS[name]
    assert main(["audit", *arguments, "--set", f"lake.root={history.root}"]) == code
    _require_recorded(name, capsys.readouterr().out)


def test_a_replay_prints_what_the_page_shows(finished, capsys) -> None:
    project, run_id = finished
    arguments = ["audit", "replay", run_id, "--stage", "index", "--set"]
    assert main([*arguments, f"lake.root={project.root}"]) == 0
    _require_recorded("replay", capsys.readouterr().out)


def test_every_recorded_output_stands_on_the_page() -> None:
    page = (RECORDED.parent / "audit.md").read_text()
    assert set(re.findall(r'--8<-- "recorded/(\w+)\.txt"', page)) == {*COMMANDS, "replay"}
