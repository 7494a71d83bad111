from __future__ import annotations

from pathlib import Path

from llm_i2i_spark.ingest.paths import (
    is_table_name,
    local_path,
)


def test_remote_paths_and_tables_are_not_local(tmp_path: Path):
    assert local_path("s3://bucket/x") is None
    assert local_path(f"file://{tmp_path}") == tmp_path
    assert is_table_name("main.shop.clicks")
    assert not is_table_name("a; DROP TABLE x")
