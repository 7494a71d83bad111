"""Which state of a raw table a run reads: what is noticed, and what is pinned. No Spark."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from llm_i2i_spark.base.errors import ConfigError, InputDataError, StageError
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.ingest.source_versions import (
    SourceVersion,
    find_source,
    find_sources,
    require_unchanged,
)

DAY_1 = "user_id,item_id,ts\nu1,a,1394618400\n"
DAY_2 = "user_id,item_id,ts\nu2,b,1394704800\n"


def no_session() -> NoReturn:
    raise AssertionError("a session was opened")


def find(path: object) -> SourceVersion:
    return find_source(str(path), "interactions", no_session)


@pytest.fixture
def days(tmp_path: Path) -> Path:
    folder = tmp_path / "days"
    folder.mkdir()
    (folder / "day1.csv").write_text(DAY_1)
    return folder


def names(version: SourceVersion) -> list[str]:
    return [os.path.relpath(file, version.root) for file in version.files]


def test_a_file_that_a_pattern_matches_since_then_is_another_state(days: Path) -> None:
    before = find(days / "*.csv")
    assert names(before) == ["day1.csv"]
    assert find(days / "*.csv") == before
    (days / "day2.csv").write_text(DAY_2)
    after = find(days / "*.csv")
    assert names(after) == ["day1.csv", "day2.csv"]
    assert after.digest != before.digest
    assert after.description == "2 files"


@pytest.mark.parametrize("pattern", ["day?.csv", "day[12].csv", "{day1,day2}.csv", "d*{1,2}.csv"])
def test_patterns_mean_what_they_mean_to_spark(days: Path, pattern: str) -> None:
    (days / "day2.csv").write_text(DAY_2)
    (days / "_day3.csv").write_text(DAY_2)
    assert names(find(days / pattern)) == ["day1.csv", "day2.csv"]


def test_an_edited_file_of_the_same_size_and_time_is_another_state(days: Path) -> None:
    file = days / "day1.csv"
    before, status = find(file), file.stat()
    file.write_text(DAY_1.replace(",a,", ",b,"))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert file.stat().st_size == status.st_size
    assert find(file).digest != before.digest


def test_the_same_content_at_another_time_or_place_is_the_same_state(
    days: Path, tmp_path: Path
) -> None:
    before = find(days)
    os.utime(days / "day1.csv", ns=(1, 1))
    (days / "_SUCCESS").touch()
    (days / ".day1.csv.crc").write_text("x")
    assert find(days).digest == before.digest
    moved = shutil.copytree(days, tmp_path / "elsewhere")
    assert find(moved).digest == before.digest


def test_files_below_folders_of_partitions_are_pinned_with_their_root(days: Path) -> None:
    (days / "day=2").mkdir()
    (days / "day=2" / "a[1].csv").write_text(DAY_2)
    version = find(days)
    assert version.partition_root == str(days)
    assert str(days / "day=2" / r"a\[1\].csv") in version.paths
    assert find(days / "*.csv").partition_root is None


def test_what_was_pinned_is_checked_after_it_was_read(days: Path) -> None:
    pinned = find(days)
    (days / "day2.csv").write_text(DAY_2)  # belongs to the next run
    require_unchanged(pinned, "interactions", no_session)
    (days / "day1.csv").write_text(DAY_2)
    with pytest.raises(StageError, match="were changed while they were read; start the run again"):
        require_unchanged(pinned, "interactions", no_session)
    (days / "day1.csv").unlink()
    with pytest.raises(StageError, match="start the run again"):
        require_unchanged(pinned, "interactions", no_session)


def test_a_delta_table_is_its_id_and_its_version(tmp_path: Path) -> None:
    table = tmp_path / "clicks"
    for user in ("u1", "u2"):
        write_deltalake(table, pa.table({"user_id": [user], "item_id": ["a"]}), mode="append")
    latest, first = find(table), find(f"{table}@v0")
    assert (latest.kind, latest.version, first.version) == ("delta", 1, 0)
    assert (first.path, first.description) == (str(table), "Delta version 0")
    assert first.digest != latest.digest == find(f"{table}@v1").digest
    shutil.rmtree(table)  # versions of a table that is made anew begin anew
    for user in ("u3", "u4"):
        write_deltalake(table, pa.table({"user_id": [user], "item_id": ["a"]}), mode="append")
    assert find(table).version == 1
    assert find(table).digest != latest.digest


def test_what_cannot_be_a_source_is_a_sentence(days: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputDataError, match="holds no data files"):
        find(tmp_path / "empty")
    with pytest.raises(InputDataError, match=r"no Delta table, so leave out its version @v3"):
        find(f"{days / 'day1.csv'}@v3")
    write_deltalake(tmp_path / "tables" / "clicks", pa.table({"user_id": ["u"]}))
    with pytest.raises(InputDataError, match="by a pattern; name one Delta table"):
        find(tmp_path / "tables" / "*")
    with pytest.raises(ConfigError, match=r"--set ingest\.interactions=PATH"):
        find_sources(load_config([], []), no_session)


def test_both_raw_tables_are_found_and_a_catalogue_is_optional(days: Path) -> None:
    log = f"ingest.interactions={days / '*.csv'}"
    assert list(find_sources(load_config([], [log]), no_session)) == ["interactions"]
    both = load_config([], [log, f"ingest.items={days / 'day1.csv'}"])
    assert list(find_sources(both, no_session)) == ["interactions", "items"]
