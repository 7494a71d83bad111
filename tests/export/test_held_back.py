"""What a backbone is trained on has not seen what it is trained to predict: examples made with
`split.hold_back` are the same whatever each user's last interaction is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.export.stage import STAGE
from llm_i2i_spark.lake.item_statistics import item_statistics
from llm_i2i_spark.lake.tables import Lake
from tests.stage_runs import put_rows, run_stage

pytestmark = pytest.mark.spark
USERS, ITEMS, CLICKS = 40, 30, 6
Rows = dict[str, list[tuple[object, ...]]]


def log_with_last(last: Callable[[int], int]) -> list[tuple[object, ...]]:
    """Users of six clicks, the last of which is given by the number of the user."""
    rows = []
    for user in range(USERS):
        items = [(user * 7 + step * 3) % 20 for step in range(CLICKS - 1)] + [20 + last(user)]
        for position, item in enumerate(items):
            rows.append((f"u{user}", f"i{item}", None, position, "click", 1.0, "train"))
    return rows


def exported(
    spark: SparkSession, folder: Path, log: list[tuple[object, ...]], hold_back: int
) -> Rows:
    settings = ("split.protocol=strict", f"split.hold_back={hold_back}")
    config = load_config([], [f"lake.root={folder}", *settings])
    lake = Lake(spark, config.lake)
    items = [
        (f"i{item}", f"title {item}", None, None, f"title {item}", {}) for item in range(ITEMS)
    ]
    versions = {
        "interactions": put_rows(lake, config, "interactions", log),
        "items": put_rows(lake, config, "items", items),
    }
    stats = item_statistics(lake.read("items"), lake.read("interactions"), 0.2)
    versions["item_stats"] = put_rows(lake, config, "item_stats", stats)
    run_stage(STAGE, lake, config, versions, [{"branch": "base"}])
    return {
        table: sorted(map(repr, lake.read(table).collect()))
        for table in ("sft_generator", "sft_discriminator")
    }


def test_examples_know_nothing_of_held_back_interactions(spark, tmp_path) -> None:
    logs = [log_with_last(last) for last in (lambda user: user % 2, lambda user: user % 10)]
    held_back = [exported(spark, tmp_path / f"{n}", log, 1) for n, log in enumerate(logs)]
    assert held_back[0] == held_back[1]
    assert len(held_back[0]["sft_generator"]) >= USERS
    # The same comparison finds the leak where nothing is held back.
    leaking = [exported(spark, tmp_path / f"leak {n}", log, 0) for n, log in enumerate(logs)]
    assert leaking[0] != leaking[1]


def test_examples_know_nothing_of_held_back_items(spark, tmp_path) -> None:
    """Nothing but the place of the clicks on i1 and i4 differs between the two logs."""

    def log(place: int) -> list[tuple[object, ...]]:
        rows = []
        for user in range(USERS):
            items = [(user * 7 + step * 3) % 20 for step in range(CLICKS)]
            items = [item for item in items if item not in (1, 4)]
            items.insert(place, (1, 4)[user % 2])
            for position, item in enumerate(items):
                of_item = (item in (1, 4),)
                rows.append(
                    (f"u{user}", f"i{item}", None, position, "click", 1.0, "train", *of_item)
                )
        return rows

    held_back = [exported(spark, tmp_path / f"{place}", log(place), 1) for place in (0, 2)]
    assert held_back[0] == held_back[1]
    assert held_back[0]["sft_generator"]
    assert not any("title 4'" in row for row in held_back[0]["sft_generator"])
    leaking = [exported(spark, tmp_path / f"leak {place}", log(place), 0) for place in (0, 2)]
    assert leaking[0] != leaking[1]
