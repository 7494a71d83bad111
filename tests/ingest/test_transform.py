"""The items of the catalogue and the log, and the text that prompts show of them."""

from __future__ import annotations

import pytest

from llm_i2i_spark.ingest.transform import build_items

pytestmark = pytest.mark.spark

CATALOGUE = "item_id string, title string, brand string, category string, extra map<string,string>"


def test_items_are_those_of_the_catalogue_and_of_the_log_with_a_text_each(spark):
    catalogue = spark.createDataFrame(
        [
            ("a", "Red\n Lamp", "Lumi", "Home > Lamps", {"colour": "red"}),
            ("b", None, "Lumi", None, {}),
            ("c", None, None, None, {}),
            ("d", "z" * 600, "Lumi", None, {}),
        ],
        CATALOGUE,
    )
    rows = spark.createDataFrame([("a",), ("a",), ("new",)], "item_id string")
    items = {row["item_id"]: row for row in build_items(catalogue, rows).collect()}
    texts = {name: row["text"] for name, row in items.items()}
    assert texts == {
        "a": "Red Lamp | Lumi | Home > Lamps",
        "b": "Lumi",
        "c": "c",
        "d": "z" * 512,
        "new": "new",
    }
    assert items["a"]["title"] == "Red\n Lamp"
    assert (items["new"]["title"], items["new"]["extra"], items["a"]["extra"]) == (
        None,
        {},
        {"colour": "red"},
    )
    assert sorted(row["item_id"] for row in build_items(None, rows).collect()) == ["a", "new"]
