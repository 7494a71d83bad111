from __future__ import annotations

from pathlib import Path

import pytest

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.ingest.paths import (
    container_of,
    is_table_name,
    local_path,
    resolve_folder,
)


@pytest.mark.parametrize(
    ("name", "container"),
    [
        ("a.parquet", "parquet"),
        ("a.csv.gz", "csv"),
        ("a.TSV", "csv"),
        ("a.jsonl", "json"),
        ("reviews_Beauty_5.json.gz", "json"),
        ("ratings.dat", "double_colon"),
        ("a.txt", None),
        ("s3://bucket/log.parquet", "parquet"),
        ("main.shop.clicks", None),
    ],
)
def test_the_ending_tells_how_rows_are_stored(name, container):
    assert container_of(name) == container


def test_the_format_of_a_folder_is_that_of_its_first_data_file(tmp_path: Path):
    with pytest.raises(UserError, match="holds no data files"):
        container_of(str(tmp_path))
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / "part-0.csv").touch()
    assert container_of(str(tmp_path)) == "csv"
    (tmp_path / "_delta_log").mkdir()
    assert container_of(str(tmp_path)) == "delta"


def test_a_movielens_folder_is_narrowed_to_the_table(tmp_path: Path):
    for name in ("ratings.csv", "movies.csv", "tags.csv"):
        (tmp_path / name).touch()
    assert resolve_folder(str(tmp_path), "interactions") == str(tmp_path / "ratings.csv")
    assert resolve_folder(str(tmp_path), "items") == str(tmp_path / "movies.csv")


def test_remote_paths_and_tables_are_not_local(tmp_path: Path):
    assert local_path("s3://bucket/x") is None
    assert local_path(f"file://{tmp_path}") == tmp_path
    assert is_table_name("main.shop.clicks")
    assert not is_table_name("a; DROP TABLE x")
