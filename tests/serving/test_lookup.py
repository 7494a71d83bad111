"""A lookup without Spark: the merge on a small index, what is owned, repeats, unknown items."""

from __future__ import annotations

import subprocess
import sys

import pytest

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.sections.index import IndexConfig
from llm_i2i_spark.serving.lookup import Lookup
from tests.serving.indexes import AWKWARD_IDS, random_lists, table_rows, write_lake

LISTS = {
    "a": [("b", 0.9, 0.0), ("c", 0.5, 1.0), ("d", 0.25, 0.0)],
    "b": [("c", 0.5, 0.0), ("e", 0.4, 0.0)],
    "c": [("10", 0.3, 0.0), ("9", 0.3, 0.0)],
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    others = {"a": [("z", 1.0, 1.0)]}
    return write_lake(
        tmp_path_factory.mktemp("lake"), table_rows(LISTS), table_rows(others, "llm_i2i")
    )


@pytest.fixture(scope="module")
def lookup(lake):
    return Lookup.open(lake, "real", recent_items=2, decay=0.5)


def ids(rows):
    return [row["item_id"] for row in rows]


def test_lists_merge_with_decay_and_without_what_is_owned(lookup):
    rows = lookup.recommend(["a", "b"])
    assert ids(rows) == ["c", "e", "d"]
    assert [row["rank"] for row in rows] == [1, 2, 3]
    assert [row["score"] for row in rows] == [0.5 * 0.5 + 0.5, 0.4, 0.125]
    assert rows[0]["synthetic_share"] == 0.25 / 0.75


def test_only_the_latest_clicks_speak_but_all_are_owned(lookup):
    assert ids(lookup.recommend(["e", "a", "c", "b"])) == ["9", "10"]


def test_a_repeat_counts_where_it_was_clicked_last(lookup):
    assert lookup.recommend(["a", "b", "a"]) == lookup.recommend(["b", "a"])


def test_an_unknown_click_takes_its_place_among_the_latest(lookup):
    assert lookup.recommend(["b", "a", "nowhere"]) != lookup.recommend(["b", "a"])
    assert ids(lookup.recommend(["a", "nowhere", "never"])) == []


def test_k_cuts(lookup):
    assert ids(lookup.recommend(["a"], k=1)) == ["b"]
    assert lookup.recommend(["a"], k=10**30) == lookup.recommend(["a"])
    assert ids(lookup.neighbors("a", k=2)) == ["b", "c"]
    for ask in (lookup.recommend, lookup.neighbors):
        for wrong in (0, -1):
            with pytest.raises(ConfigError, match=f"k must be at least 1, and is {wrong}"):
                ask("a" if ask == lookup.neighbors else ["a"], k=wrong)


def test_neighbors_are_the_list_as_it_stands(lookup):
    rows = lookup.neighbors("a")
    assert [(row["item_id"], row["score"], row["synthetic_share"]) for row in rows] == LISTS["a"]
    assert [row["rank"] for row in rows] == [1, 2, 3]


def test_an_index_knows_what_it_has_a_list_of_and_what_is_in_one(lookup):
    assert [lookup.knows(item) for item in ("a", "e", "nowhere", " a", "")] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_unknown_items_give_nothing(lookup):
    assert lookup.recommend(["nowhere", "d", ""]) == []
    assert lookup.recommend([]) == []
    assert lookup.neighbors("nowhere") == lookup.neighbors("\ud800") == []


def test_ids_are_compared_byte_for_byte(tmp_path):
    lists = {item: [(f"{item}!", 1.0, None)] for item in AWKWARD_IDS}
    lookup = Lookup.open(write_lake(tmp_path, table_rows(lists)))
    for item in AWKWARD_IDS:
        assert ids(lookup.neighbors(item)) == [f"{item}!"]
    assert lookup.neighbors("\u00e4\u0308") == lookup.neighbors("7 ") == []


def test_scores_of_zero_and_below_have_a_share_too(tmp_path):
    lists = {"a": [("b", 0.0, 0.5), ("c", -0.5, 0.25)]}
    rows = Lookup.open(write_lake(tmp_path, table_rows(lists))).recommend(["a"])
    assert [(row["item_id"], row["synthetic_share"]) for row in rows] == [("b", 0.0), ("c", 0.25)]


def test_clicks_that_are_no_list_of_ids_are_refused(lookup):
    for wrong in ("a", [1, 2]):
        with pytest.raises(ConfigError, match="list of item ids"):
            lookup.recommend(wrong)


def test_settings_out_of_range_are_refused_and_the_defaults_are_those_of_the_config(lake):
    for wrong in ({"recent_items": 0}, {"decay": 0.0}, {"decay": 1.5}):
        with pytest.raises(ConfigError, match="recent_items must be"):
            Lookup.open(lake, **wrong)
    settings = IndexConfig()
    named = Lookup.open(lake, recent_items=settings.recent_items, decay=settings.decay)
    clicks = [*random_lists(20, 3, 0), "a", "b", "c"]
    assert Lookup.open(lake).recommend(clicks) == named.recommend(clicks)


def test_a_lookup_loads_neither_spark_nor_torch(lake):
    code = (
        "import sys; from llm_i2i_spark.serving.lookup import Lookup;"
        f" print(Lookup.open({str(lake)!r}, 'real').neighbors('b', 1)[0]['item_id']);"
        " print([m for m in ('pyspark', 'py4j', 'torch', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["c", "[]"]
