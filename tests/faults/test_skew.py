"""A user of thousands of items and an item of thousands of users: refused before anything is
computed, or, with caps, the same rows however the work is split.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.i2i.stage import STAGE
from llm_i2i_spark.lake.row_digest import row_digest
from llm_i2i_spark.lake.tables import Lake
from tests.stage_runs import put_rows, run_stage

USERS, ITEMS = 4_000, 2_000
CAPS = ("i2i.max_users_per_item=50", "i2i.max_items_per_user=100")
SCOPE = {"variant": "real", "backbone": "swing"}
BUDGET = "i2i.block_bytes=100000"


@pytest.mark.spark
@pytest.mark.faults("F23", "F5", end="either", slow=True)
def test_giants_are_refused_or_capped_to_the_same_rows(spark: SparkSession, tmp_path: Path) -> None:
    config = load_config([], [f"lake.root={tmp_path}"])
    lake = Lake(spark, config.lake)
    rows = [("real", "giant", f"i{item}", 1.0, "real", None, None, item) for item in range(ITEMS)]
    for user in range(USERS):
        items = (0, user % 40 + 1, user % 37 + 50, user % ITEMS)
        rows += [
            ("real", f"u{user}", f"i{item}", 1.0, "real", None, None, place)
            for place, item in enumerate(dict.fromkeys(items))
        ]
    read = {"fused": put_rows(lake, config, "fused", rows)}

    def similarities(*settings: str) -> str:
        options = ("lake.root=unused", "i2i.incremental=false", *settings)
        inputs = {"fused[variant=real]": "x"}
        run_stage(STAGE, lake, load_config([], options), read, [SCOPE], inputs=inputs)
        return str(row_digest(lake.read("item_similarity")))

    capped = similarities(*CAPS, "i2i.blocks=1")
    with pytest.raises(ConfigError, match=r"One item has 4,.*set i2i\.max_users_per_item"):
        similarities(BUDGET)
    assert str(row_digest(lake.read("item_similarity"))) == capped
    assert similarities(*CAPS, "i2i.block_bytes=1000000") == capped
    assert similarities(*CAPS, "i2i.blocks=7") == capped
