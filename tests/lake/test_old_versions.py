"""Old versions go, the latest and those to keep stay readable."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake

from llm_i2i_spark.lake.delta_rs import table_losses, table_version
from llm_i2i_spark.lake.old_versions import remove_old_versions


def table_of(path: Path, versions: int) -> str:
    for number in range(versions):
        write_deltalake(str(path), pa.table({"n": [number]}), mode="overwrite")
    return str(path)


def readable(path: str) -> list[int]:
    latest = table_version(path)
    assert latest is not None
    return [version for version in range(latest + 1) if not table_losses(path, version)]


def test_only_the_latest_version_and_those_to_keep_stay_readable(tmp_path: Path) -> None:
    path = table_of(tmp_path / "t", 5)
    remove_old_versions(path, keep=[1, 4, 99])
    assert readable(path) == [1, 4]
    remove_old_versions(path)
    assert readable(path) == [4]
    assert len(list((tmp_path / "t").glob("*.parquet"))) == 1


def test_where_there_is_no_table_nothing_happens(tmp_path: Path) -> None:
    remove_old_versions(str(tmp_path / "t"))
    assert list(tmp_path.iterdir()) == []
