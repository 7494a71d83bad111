"""Commits without a JVM: scopes replaced file by file, one winner among writers, and checksums that
Spark's own reader and this package's verify.
"""

from __future__ import annotations

import shutil
import struct
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError

from llm_i2i_spark.lake.block_checksums import (
    ChecksumError,
    checksum_file,
    verify_block_checksums,
    write_block_checksums,
)
from llm_i2i_spark.lake.delta_files import file_name, read_file
from llm_i2i_spark.lake.lost_files import open_table
from llm_i2i_spark.lake.table_commit import create_table, replace_rows

SCOPE = ("branch",)
SCHEMA = pa.schema([("branch", pa.string()), ("role", pa.string()), ("path", pa.string())])


def rows(branch: str, *paths: str) -> pa.Table:
    return pa.Table.from_pylist(
        [{"branch": branch, "role": "r", "path": one} for one in paths], SCHEMA
    )


def content(path: Path) -> set[tuple[str, str]]:
    table = DeltaTable(path)
    parts = [
        read_file(f"{path}/{file_name(uri)}", SCHEMA.names, {}, None) for uri in table.file_uris()
    ]
    return {(row["branch"], row["path"]) for part in parts for row in part.to_pylist()}


def replace(path: Path, new: pa.Table, *branches: str, table: DeltaTable | None = None) -> None:
    scopes = [{"branch": one} for one in branches]
    replace_rows(table or open_table(str(path)), path, new, SCOPE, scopes, "{}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "a b é" / "checkpoints"
    (made / "_delta_log").mkdir(parents=True)
    create_table(made, rows("base", "1"), SCOPE, {}, "{}")
    return made


def test_a_scope_is_replaced_and_files_of_others_stay(path: Path) -> None:
    replace(path, rows("other", "2"), "other")
    (kept,) = [
        file_name(uri)
        for uri in DeltaTable(path).file_uris(file_pruning_predicate=[("branch", "=", "base")])
    ]
    replace(path, rows("other", "3", "4"), "other")
    assert content(path) == {("base", "1"), ("other", "3"), ("other", "4")}
    assert kept in map(file_name, DeltaTable(path).file_uris())
    assert [one["operationMetrics"]["num_added_rows"] for one in DeltaTable(path).history()] == [
        2,
        1,
        1,
    ]


def test_rows_of_other_scopes_in_the_same_file_are_kept(path: Path) -> None:
    both = pa.concat_tables([rows("base", "1"), rows("other", "2")])
    write_deltalake(path, both, mode="overwrite")  # as earlier versions wrote
    replace(path, rows("base", "5"), "base")
    assert content(path) == {("base", "5"), ("other", "2")}
    replace(path, rows("base", "6"))
    assert content(path) == {("base", "6")}


def test_a_table_of_fewer_columns_gets_the_new_ones(path: Path) -> None:
    wider = rows("other", "2").append_column("new", pa.array(["x"]))
    replace(path, wider, "other")
    assert content(path) == {("base", "1"), ("other", "2")}
    assert "new" in {field.name for field in DeltaTable(path).schema().fields}


def test_of_two_writers_one_wins_and_leaves_nothing_of_the_other(path: Path) -> None:
    one, other = DeltaTable(path), DeltaTable(path)
    replace(path, rows("x", "2"), "x", table=one)
    with pytest.raises(CommitFailedError):
        replace(path, rows("x", "3"), "x", table=other)
    with pytest.raises(CommitFailedError):
        create_table(path, rows("x", "4"), SCOPE, {}, "{}")
    assert content(path) == {("base", "1"), ("x", "2")}
    assert len(list(path.glob("*.parquet"))) == 2
    assert len(list(path.glob(".*.crc"))) == 2


def test_checksums_are_those_that_hadoop_writes(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(bytes(range(256)) * 5)
    write_block_checksums(file)
    blocks = [file.read_bytes()[first : first + 512] for first in (0, 512, 1024)]
    expected = b"crc\0" + struct.pack(">i3I", 512, *map(zlib.crc32, blocks))
    assert checksum_file(file).read_bytes() == expected
    verify_block_checksums(file)
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(ChecksumError, match=str(file)):
        verify_block_checksums(file)


@pytest.mark.spark
def test_spark_reads_such_a_table_and_finds_a_flipped_footer_in_it(spark: Any, path: Path) -> None:
    replace(path, rows("other", "2"), "other")
    read = spark.read.format("delta").load
    assert {(row["branch"], row["path"]) for row in read(str(path)).collect()} == content(path)
    for file in path.glob("*.parquet"):
        damaged = bytearray(file.read_bytes())
        damaged[-20] ^= 1
        file.write_bytes(damaged)
    with pytest.raises(Exception, match="Checksum error"):
        read(str(path)).collect()
    # And the other way round: what Spark has written on a local disk is verified here.
    written = path.parent / "written"
    spark.range(10).coalesce(1).write.parquet(str(written))
    (file,) = written.glob("*.parquet")
    verify_block_checksums(file)
    assert pq.read_metadata(file).num_rows == 10
    damaged = bytearray(file.read_bytes())
    damaged[-20] ^= 1
    file.write_bytes(damaged)
    with pytest.raises(ChecksumError):
        verify_block_checksums(file)
    shutil.rmtree(written)


@pytest.mark.spark
def test_rows_that_spark_deleted_in_place_do_not_come_back(spark: Any, path: Path) -> None:
    replace(path, rows("other", "2", "3"), "other")
    name = f"delta.`{path}`"
    spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    spark.sql(f"DELETE FROM {name} WHERE path = '2'")
    replace(path, rows("base", "5"), "base")
    assert content(path) == {("base", "5"), ("other", "3")}
    found = spark.read.format("delta").load(str(path)).collect()
    assert {(row["branch"], row["path"]) for row in found} == content(path)
