"""Statistics of items count the training fold alone."""

from __future__ import annotations

import pytest

from llm_i2i_spark.lake.item_statistics import item_statistics

pytestmark = pytest.mark.spark


def test_statistics_count_the_training_fold_and_mark_the_bottom_of_the_clicked_items(spark):
    clicks = {"a": 4, "b": 3, "c": 2, "d": 1, "e": 1}
    rows = [(f"u{n}", item, "train") for item, times in clicks.items() for n in range(times)]
    rows += [("u7", "d", "test"), ("u8", "d", "valid"), ("u7", "f", "test")]
    interactions = spark.createDataFrame(rows, "user_id string, item_id string, fold string")
    items = spark.createDataFrame([(name,) for name in "abcdefxy"], "item_id string")
    stats = {row["item_id"]: row for row in item_statistics(items, interactions, 0.5).collect()}
    assert {name: row["n_interactions"] for name, row in stats.items()} == {
        **clicks,
        "f": 0,
        "x": 0,
        "y": 0,
    }
    assert all(row["n_users"] == row["n_interactions"] for row in stats.values())
    assert "".join(sorted(stats, key=lambda name: stats[name]["popularity_rank"])) == "abcdefxy"
    # Six items are in the log, so three of them are long tail; x and y, which nobody clicked, come
    # on top of these.
    assert {name for name, row in stats.items() if row["is_long_tail"]} == set("defxy")
