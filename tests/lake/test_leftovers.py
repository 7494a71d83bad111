"""The next run removes what a killed one has left, and nothing that a process is at work on."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from llm_i2i_spark.base.unfinished import owned
from llm_i2i_spark.lake.leftovers import remove_leftovers

LEFT = (
    ".summary.json.0a.writing",
    "fused/.part-0.parquet.crc.0a.writing",
    "fused/_delta_log/.0.json.crc.0a.writing",
    "checkpoints_files/..generator-f.0a.writing/items.safetensors",
    "_inference/f/.scored-1-2.parquet.0a.writing",
    "_serving/.real-swing@1.0a.writing/neighbor",
    "_staging/0a/rows/part-0.parquet",
    "tmp/llm-i2i-sft-0a.running/config.yaml",
)
KEPT = (
    "fused/part-0.parquet",
    "fused/.part-0.parquet.crc",
    "checkpoints_files/_partial/f/generator.json",
    "_inference/f/scored-1-2.parquet",
    "tmp/llm-i2i-0-start.lock",
    "tmp/other.running/x",
)


def test_only_what_no_process_writes_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    for name in (*LEFT, *KEPT):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    at_work = tmp_path / "_staging" / "0b"
    at_work.mkdir()
    with owned(lambda: at_work):
        remove_leftovers(tmp_path)
        assert at_work.is_dir()
        found = {str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*") if one.is_file()}
        assert found == set(KEPT)
    remove_leftovers(tmp_path)
    assert not at_work.exists()
