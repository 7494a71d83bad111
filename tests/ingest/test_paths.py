from __future__ import annotations

import os
from pathlib import Path

from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.ingest.paths import (
    digest_sources,
    is_table_name,
    local_path,
)


def test_remote_paths_and_tables_are_not_local(tmp_path: Path):
    assert local_path("s3://bucket/x") is None
    assert local_path(f"file://{tmp_path}") == tmp_path
    assert is_table_name("main.shop.clicks")
    assert not is_table_name("a; DROP TABLE x")


def test_the_digest_changes_with_a_file_and_only_then(tmp_path: Path):
    log = tmp_path / "log"
    log.mkdir()
    (log / "a.csv").write_text("user_id,item_id\nu,i\n")
    config = load_config([], [f"ingest.interactions={log}", "ingest.items=s3://bucket/items"])
    before = digest_sources(config)
    assert set(before) == {"interactions", "items"}
    assert digest_sources(config) == before
    os.utime(log / "a.csv", ns=(1, 1))
    touched = digest_sources(config)
    assert touched["interactions"] != before["interactions"]
    assert touched["items"] == before["items"]
    (log / "b.csv").write_text("user_id,item_id\nu,j\n")
    assert digest_sources(config)["interactions"] != touched["interactions"]
