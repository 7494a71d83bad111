"""Stage index on Delta tables."""

from __future__ import annotations

import pytest

from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.index.stage import STAGE
from llm_i2i_spark.lake.tables import Lake
from tests.stage_runs import put_rows, run_stage

pytestmark = pytest.mark.spark


def test_stage_writes_the_lists_of_the_run_from_pinned_versions(spark, tmp_path):
    config = load_config(
        [], [f"lake.root={tmp_path}", "index.popularity_exponent=1", "index.normalize=none"]
    )
    lake = Lake(spark, config.lake)
    fused = [
        ("real", user, item, 1.0, "real", None, None, 0)
        for user in "uvw"
        for item in ("a", "b")[: 2 if user == "u" else 1]
    ]
    similar = [("real", "a", "b", 0.5), ("real", "b", "a", 0.5), ("llm_i2i", "a", "b", 0.9)]
    similar = [
        (variant, "swing", item, neighbor, score, 2, 0.0)
        for variant, item, neighbor, score in similar
    ]
    versions = {}
    for name, rows in (("fused", fused), ("item_similarity", similar)):
        versions[name] = put_rows(lake, config, name, rows)
    real, scope = {"variant": "real"}, {"variant": "real", "backbone": "swing"}
    read = {"fused": (real,), "item_similarity": (scope,)}
    run_stage(STAGE, lake, config, versions, [scope], read_scopes=read)
    found = {
        row["item_id"]: [tuple(n) for n in row["neighbors"]]
        for row in lake.read("item_index").collect()
    }
    assert found == {"a": [("b", 0.5, 1, 0.0)], "b": [("a", pytest.approx(0.5 / 3), 1, 0.0)]}
    commit = lake.history("item_index", limit=1)[0]
    assert commit.record is not None
    assert commit.record.reads == versions
