"""Merging lists: a plain oracle on a small index, decay by steps back, what is owned, repeats,
unknown items.
"""

from __future__ import annotations

import pytest

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.sections.index import IndexConfig
from llm_i2i_spark.index.lookup import lookup
from llm_i2i_spark.lake.tables import contract_schema

pytestmark = pytest.mark.spark
LISTS = {
    "a": [("b", 0.9, 0.0), ("c", 0.5, 1.0), ("d", 0.25, 0.0)],
    "b": [("c", 0.5, 0.0), ("e", 0.4, 0.0)],
    "c": [("10", 0.3, 0.0), ("9", 0.3, 0.0)],
}
SETTINGS = IndexConfig(recent_items=2, decay=0.5)


@pytest.fixture(scope="module")
def index(spark):
    rows = [
        (
            variant,
            "swing",
            item,
            [(*entry[:2], rank, entry[2]) for rank, entry in enumerate(entries, start=1)],
        )
        for variant, lists in (("real", LISTS), ("llm_i2i", {"a": [("z", 1.0, 1.0)]}))
        for item, entries in lists.items()
    ]
    return spark.createDataFrame(rows, contract_schema(TABLES["item_index"]))


def ids(rows):
    return [row["item_id"] for row in rows]


def test_lists_merge_with_decay_and_without_what_is_owned(index):
    rows = lookup(index, ["a", "b"], 10, SETTINGS, "real", "swing")
    assert ids(rows) == ["c", "e", "d"]
    assert [row["rank"] for row in rows] == [1, 2, 3]
    assert [row["score"] for row in rows] == pytest.approx([0.5 + 0.5 * 0.5, 0.4, 0.125])
    assert rows[0]["synthetic_share"] == pytest.approx(0.25 / 0.75)


def test_only_the_latest_clicks_speak_but_all_are_owned(index):
    assert ids(lookup(index, ["e", "a", "c", "b"], 10, SETTINGS, "real", "swing")) == ["9", "10"]


def test_a_repeat_counts_where_it_was_clicked_last(index):
    assert lookup(index, ["a", "b", "a"], 10, SETTINGS, "real", "swing") == lookup(
        index, ["b", "a"], 10, SETTINGS, "real", "swing"
    )


def test_k_cuts_and_variants_do_not_mix(index):
    assert ids(lookup(index, ["a"], 1, SETTINGS, "real", "swing")) == ["b"]
    assert ids(lookup(index, ["a"], 5, SETTINGS, "llm_i2i", "swing")) == ["z"]


def test_unknown_clicks_give_nothing_and_an_unknown_variant_is_said(index):
    assert lookup(index, ["nowhere"], 5, SETTINGS, "real", "swing") == []
    with pytest.raises(UserError, match="no lists of variant no_generator"):
        lookup(index, ["a"], 5, SETTINGS, "no_generator", "swing")
