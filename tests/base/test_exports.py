"""Exported files and their manifests: what was exported is known again, all else is refused."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from llm_i2i_spark.base.errors import DamagedFileError
from llm_i2i_spark.base.exports import (
    content_of,
    manifest_path,
    open_export,
    verify_export,
    write_export_manifest,
)


def export(path: Path, content: bytes, rows: int = 1) -> None:
    with open_export(path) as opened:
        opened.stream.write(content)
        opened.rows = rows


def test_a_manifest_says_how_many_bytes_and_rows_a_file_has(tmp_path: Path) -> None:
    path = tmp_path / "out" / "lists é.jsonl"
    export(path, b"one\ntwo\n", rows=2)
    found = verify_export(path)
    assert found == content_of(path, 2)
    assert found is not None
    assert (found.bytes, found.rows) == (8, 2)
    assert {file.name for file in path.parent.iterdir()} == {
        "lists é.jsonl",
        "_lists é.jsonl.manifest.json",
    }


def test_a_file_of_another_program_passes(tmp_path: Path) -> None:
    path = tmp_path / "index.parquet"
    path.write_bytes(b"x")
    assert verify_export(path) is None


def test_a_changed_file_and_a_changed_manifest_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "index.jsonl"
    export(path, b"one\n")
    path.write_bytes(b"two\n")
    with pytest.raises(DamagedFileError, match=f"{path} is not what was exported.*`rm '"):
        verify_export(path)
    path.write_bytes(b"one\n")
    manifest = Path(manifest_path(path))
    manifest.write_text(manifest.read_text().replace('"rows": 1', '"rows": 3'))
    with pytest.raises(DamagedFileError, match=f"The manifest {manifest} is damaged"):
        verify_export(path)


def test_whoever_reads_while_a_file_is_replaced_finds_a_content_that_fits(tmp_path: Path) -> None:
    path = tmp_path / "index.jsonl"
    path.write_bytes(b"0" * 100_000)  # of a version without manifests
    write_export_manifest(path, content_of(path))
    writer = threading.Thread(
        target=lambda: [export(path, str(number).encode() * 100_000) for number in range(30)]
    )
    writer.start()
    looks = 0
    while writer.is_alive():
        assert verify_export(path) is not None
        looks += 1
    writer.join()
    assert looks


def test_a_failed_export_leaves_file_and_manifest_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "index.jsonl"
    export(path, b"one\n")
    before = Path(manifest_path(path)).read_bytes()
    with pytest.raises(TypeError), open_export(path) as opened:
        opened.stream.write("two")  # no bytes
    assert Path(manifest_path(path)).read_bytes() == before
    assert verify_export(path) is not None
    assert len(os.listdir(tmp_path)) == 2
