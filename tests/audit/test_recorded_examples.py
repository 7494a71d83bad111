"""The outputs in docs/audit.md are what the commands print. To record them again:
RECORD_EXAMPLES=1 python -m pytest tests/audit/test_recorded_examples.py
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from llm_i2i_spark.cli.main import main
from llm_i2i_spark.config.files import load_config
from tests.audit.commits import REAL, SWING, Writer
from tests.audit.example_lake import neighbor

RECORDED = Path(__file__).resolve().parents[2] / "docs" / "recorded"
USED = "20260102T000000-used"
COMMANDS = {
    "runs": (["runs"], 0),
    "trace": (["trace", "--item", "A", "--neighbor", "B", "--users", "2"], 0),
    "trace_user": (["trace", "--user", "u4", "--entries", "4"], 0),
    "verify": (
        ["verify", "--set", "lake.retention_days=7"],
        1,
    ),  # the example lake names models that are not there
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


class SmallWriter(Writer):
    """Commits columns of the contracts without Spark, and another digest of the source a run."""

    def __call__(self, table, rows, reads, scopes=({},), **attributes) -> int:
        record = self.run_record(table, dict(reads), scopes, attributes)
        source = {} if reads else {"clicks.csv": self.run_id[-2:] * 32}
        metadata = {"userMetadata": replace(record, external_inputs=source).to_json()}
        properties = CommitProperties(custom_metadata=metadata)
        path, content = self.lake.path(table), pa.Table.from_pylist(rows)
        write_deltalake(path, content, mode="overwrite", commit_properties=properties)
        return DeltaTable(path).version()


TITLES = {"A": "Silver necklace", "B": "Silver ring", "C": "Gold ring", "D": "Pearl earrings"}


@pytest.fixture
def two_indexes(tmp_path) -> Path:
    """A lake with two runs, of another log and another option; its folder."""
    runs = {
        "20261121T054410-3f81": (10, "ABC ABC", {"A": "BC", "B": "A", "C": "A"}),
        "20261122T054408-81aa": (5, "ABC ABCD AD", {"A": "BDC", "B": "A", "C": "A", "D": "A"}),
    }
    lake: Any = SimpleNamespace(path=lambda table: str(tmp_path / table))
    for run_id, (a1, clicks, lists) in runs.items():
        config = load_config([], [f"lake.root={tmp_path}", f"i2i.swing.a1={a1}"])
        write = SmallWriter(lake, config, run_id)
        log = [
            {"user_id": f"u{user}", "item_id": item}
            for user, items in enumerate(clicks.split())
            for item in items
        ]
        reads = {"interactions": write("interactions", log, {})}
        write("items", [{"item_id": item, "title": title} for item, title in TITLES.items()], {})
        write("item_stats", [{"item_id": one, "is_long_tail": one in "CD"} for one in TITLES], {})
        reads = {"fused": write("fused", log, reads, [REAL])}
        reads = {"item_similarity": write("item_similarity", log, reads, [REAL | SWING])}
        index = [
            {**REAL, **SWING, "item_id": item, "neighbors": _neighbors(others)}
            for item, others in lists.items()
        ]
        write("item_index", index, reads, [REAL | SWING])
    return tmp_path


def _neighbors(items: str) -> list[dict[str, Any]]:
    return [neighbor(item, 1 / rank, rank) for rank, item in enumerate(items, start=1)]


def test_a_diff_prints_what_the_page_shows(two_indexes, capsys) -> None:
    assert main(["audit", "diff", "--set", f"lake.root={two_indexes}"]) == 0
    _require_recorded("diff", capsys.readouterr().out)


def test_every_recorded_output_stands_on_the_page() -> None:
    page = (RECORDED.parent / "audit.md").read_text()
    assert set(re.findall(r'--8<-- "recorded/(\w+)\.txt"', page)) == {*COMMANDS, "diff", "replay"}
