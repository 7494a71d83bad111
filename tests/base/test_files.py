"""A write leaves the old content or the new one, never a part, and nothing beside it."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.fs import LocalFileSystem

from llm_i2i_spark.base.files import (
    folder_atomically,
    is_uri,
    open_atomically,
    open_in,
    write_atomically,
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("s3://bucket/lake", True),
        ("dbfs:/lake", True),
        ("file:///lake", True),
        ("/Volumes/main/lake", False),
        ("lake:2/part", False),
        ("C:/lake", False),
        ("", False),
    ],
)
def test_a_uri_is_told_by_its_scheme(path: str, expected: bool) -> None:
    assert is_uri(path) is expected


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_file_is_replaced_and_missing_folders_are_made(form: str, tmp_path: Path) -> None:
    target = tmp_path / "by run" / "summary.json"
    for content in ("old ä", b"new"):
        write_atomically(
            form.format(str(target).replace(" ", "%20" if "://" in form else " ")), content
        )
    assert target.read_bytes() == b"new"
    assert [found.name for found in target.parent.iterdir()] == ["summary.json"]


def test_an_error_leaves_the_old_content_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "index.parquet"
    target.write_text("old")
    for opened in (open_atomically(target), open_in(LocalFileSystem(), str(target))):
        with pytest.raises(KeyboardInterrupt), opened as file:
            _write_half_and_stop(file)
        assert target.read_text() == "old"
        assert [found.name for found in tmp_path.iterdir()] == ["index.parquet"]


def test_a_parquet_writer_can_stream_into_it(tmp_path: Path) -> None:
    table = pa.table({"item_id": ["a", "b"]})
    for number, opened in enumerate(
        (open_atomically(tmp_path / "0"), open_in(LocalFileSystem(), f"{tmp_path}/new/1"))
    ):
        with opened as file, pq.ParquetWriter(file, table.schema) as writer:
            writer.write_table(table)
        written = next(tmp_path.rglob(str(number)))
        assert pq.read_table(written).equals(table)


def test_a_folder_never_gives_way_to_a_file(tmp_path: Path) -> None:
    (tmp_path / "index" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        write_atomically(tmp_path / "index", "x")
    assert (tmp_path / "index" / "inside").is_dir()


def test_a_folder_is_replaced_whole_or_stays_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "model"
    for name in ("first", "second"):
        with folder_atomically(target) as folder:
            (folder / name).write_text(name)
            assert not (target / name).exists()
    assert [found.name for found in target.iterdir()] == ["second"]
    with pytest.raises(ValueError, match="stop"), folder_atomically(target) as folder:
        raise ValueError("stop")
    assert [found.name for found in tmp_path.rglob("*")] == ["model", "second"]


def _write_half_and_stop(file: BinaryIO) -> None:
    file.write(b"half of it")
    raise KeyboardInterrupt
