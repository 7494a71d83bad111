"""Digests of files: what they notice, and what they cost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llm_i2i_spark.base import file_digests
from llm_i2i_spark.base.file_digests import BLOCK_BYTES, digest_files


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    path.write_bytes(bytes(range(256)) * 4096)
    return path


def edited(path: Path, offset: int) -> None:
    """Change one byte and put back the time of the last change."""
    status = path.stat()
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(b"?")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("offset", [0, 300_001, 4096 * 256 - 1])
def test_any_edit_is_noticed_though_size_and_time_stay(file: Path, offset: int) -> None:
    before = digest_files({"a": file}, with_times=True)
    edited(file, offset)
    assert digest_files({"a": file}, with_times=True) != before


def test_the_same_content_elsewhere_and_at_another_time_is_the_same(
    file: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(file.read_bytes())
    os.utime(copy, ns=(1, 1))
    assert digest_files({"a": file}, True) == digest_files({"a": copy}, True)
    assert digest_files({"a": file}, True) != digest_files({"b": file}, True)


def test_a_large_file_counts_by_size_samples_and_time(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_digests, "WHOLE_BYTES", 1000)
    monkeypatch.setattr(file_digests, "MAX_BLOCKS", 3)
    timed, untimed = (digest_files({"a": file}, one) for one in (True, False))
    for offset in (0, file.stat().st_size - 1, file.stat().st_size // 2):
        edited(file, offset)
        assert digest_files({"a": file}, False) != untimed
        untimed = digest_files({"a": file}, False)
    timed = digest_files({"a": file}, True)
    edited(file, BLOCK_BYTES + 10)  # between the samples
    assert digest_files({"a": file}, False) == untimed
    assert digest_files({"a": file}, True) == timed
    os.utime(file, ns=(1, 1))
    assert digest_files({"a": file}, False) == untimed
    assert digest_files({"a": file}, True) != timed
