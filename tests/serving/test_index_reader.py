"""Which index is read, at which version, and from which files; the arrays that are kept of it."""

from __future__ import annotations

import json
import os
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llm_i2i_spark.base.errors import ConfigError, InputDataError, UserError
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.serving.array_cache import load_arrays
from llm_i2i_spark.serving.choice import choose_index
from llm_i2i_spark.serving.index_reader import find_index, index_location
from llm_i2i_spark.serving.lookup import Lookup
from llm_i2i_spark.serving.publish import publish
from tests.serving.indexes import random_lists, table_rows, write_lake

ONE = {"a": [("b", 1.0, 0.0)]}
TWO = {"a": [("c", 1.0, 0.0)]}


def first(lookup):
    return lookup.neighbors("a")[0]["item_id"]


def kept(lake):
    return sorted(path.name for path in (lake / "_serving").iterdir())


@pytest.mark.parametrize(
    ("present", "named", "chosen"),
    [
        ("real/swing llm_i2i/swing", (None, None), "llm_i2i/swing"),
        ("real_served/swing llm_i2i/swing", (None, None), "llm_i2i/swing"),
        ("llm_i2i/swing llm_i2i_served/swing", (None, None), "llm_i2i_served/swing"),
        ("llm_i2i/swing llm_i2i_served/swing", ("llm_i2i", None), "llm_i2i/swing"),
        ("no_threshold/swing real/swing", (None, None), "real/swing"),
        ("no_threshold/swing no_generator/swing", (None, None), "no_generator/swing"),
        ("real/bm25 real/swing", (None, None), "real/swing"),
        ("real/item_knn real/bm25", (None, None), "real/bm25"),
        ("real/bm25 llm_i2i/swing", (None, "bm25"), "real/bm25"),
    ],
)
def test_the_preferred_index_is_chosen_where_none_is_named(present, named, chosen):
    pairs = {tuple(pair.split("/")) for pair in present.split()}
    assert "/".join(choose_index(pairs, *named)) == chosen


def test_an_absent_index_is_refused_with_those_that_are_there():
    pairs = {("real", "swing"), ("llm_i2i", "swing")}
    wanted = (
        "The index has no lists of variant x and backbone swing; ask for --variant llm_i2i"
        " --backbone swing or --variant real --backbone swing, or run stage index with"
        " --variants x."
    )
    with pytest.raises(UserError) as refused:
        choose_index(pairs, "x", "swing")
    assert str(refused.value) == wanted
    with pytest.raises(UserError, match=r"^The index has no lists; run stage index\.$"):
        choose_index([], None, None)


def test_root_table_and_uri_name_the_same_index_and_origin_says_which(tmp_path):
    root = tmp_path / "ä lake"
    lake = write_lake(root, table_rows(ONE), table_rows(TWO, "llm_i2i", "bm25"))
    for path in (lake, lake / "item_index", str(lake) + "/", root.as_uri()):
        origin = Lookup.open(path).origin
        assert (origin.variant, origin.backbone, origin.version) == ("llm_i2i", "bm25", 0)


def test_a_version_is_read_as_it_was(tmp_path):
    lake = write_lake(tmp_path, table_rows(ONE))
    write_lake(tmp_path, table_rows(TWO))
    assert first(Lookup.open(lake)) == "c"
    assert first(Lookup.open(lake, version=0)) == "b"
    with pytest.raises(UserError, match="Version 7 of item_index cannot be read"):
        Lookup.open(lake, version=7)


def test_what_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match=r"no table item_index in .*nothing; run stage index first"):
        Lookup.open(tmp_path / "nothing")
    with pytest.raises(InputDataError, match=r"no index file .*index\.parquet"):
        Lookup.open(tmp_path / "index.parquet")
    with pytest.raises(ConfigError, match=r"set lake\.root beside lake\.schema"):
        index_location(LakeConfig(schema="main.shop"))


def test_arrays_are_made_once_a_version_and_the_two_latest_stay(tmp_path):
    lake = write_lake(tmp_path, table_rows(ONE), table_rows(ONE, "llm_i2i"))
    Lookup.open(lake, "real")
    Lookup.open(lake, "llm_i2i")
    for version in range(1, 4):
        write_lake(tmp_path, table_rows(ONE if version % 2 else TWO))
        assert first(Lookup.open(lake, "real")) == ("b" if version % 2 else "c")
    names = kept(lake)
    assert [name.partition("@")[0] for name in names] == [
        "llm_i2i-swing",
        "real-swing",
        "real-swing",
    ]
    assert [name[-3:] for name in names] == ["-v0", "-v2", "-v3"]
    before = os.stat(lake / "_serving" / names[-1]).st_mtime_ns
    assert first(Lookup.open(lake, "real")) == "b"
    assert os.stat(lake / "_serving" / names[-1]).st_mtime_ns == before


def test_a_lake_made_anew_does_not_show_the_arrays_of_the_old_one(tmp_path):
    assert first(Lookup.open(write_lake(tmp_path, table_rows(ONE)))) == "b"
    shutil.rmtree(tmp_path / "item_index")
    assert first(Lookup.open(write_lake(tmp_path, table_rows(TWO)))) == "c"


@pytest.mark.parametrize("damage", ["manifest", "array", "format"])
@pytest.mark.faults("F25", end="same")
def test_damaged_arrays_are_made_again(tmp_path, damage):
    lake = write_lake(tmp_path, table_rows(ONE))
    Lookup.open(lake)
    folder = lake / "_serving" / kept(lake)[0]
    if damage == "manifest":
        (folder / "index.json").unlink()
    elif damage == "array":
        (folder / "score").write_bytes(b"")
    else:
        manifest = json.loads((folder / "index.json").read_text()) | {"format": 0}
        (folder / "index.json").write_text(json.dumps(manifest))
    assert first(Lookup.open(lake)) == "b"


def test_without_a_folder_to_write_the_arrays_last_as_long_as_the_lookup(tmp_path, monkeypatch):
    lake = write_lake(tmp_path, table_rows(ONE))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    lookup = Lookup.open(lake)
    assert kept(lake) == []
    assert first(lookup) == "b"


def test_a_cache_folder_of_ones_own_is_used(tmp_path):
    lake = write_lake(tmp_path / "lake", table_rows(ONE))
    assert first(Lookup.open(lake, cache=tmp_path / "cache")) == "b"
    assert not (lake / "_serving").exists()
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_arrays_give_every_list_back_whatever_the_order_of_rows(tmp_path):
    lists = random_lists(60, 12, seed=5)
    lake = write_lake(tmp_path, table_rows(lists))
    arrays = load_arrays(find_index(lake))
    rows = [row for batch in arrays.batches() for row in batch.to_pylist()]
    wanted = sorted(table_rows(lists), key=lambda row: (len(row["item_id"]), row["item_id"]))
    assert rows == [{name: row[name] for name in ("item_id", "neighbors")} for row in wanted]


@pytest.mark.parametrize(("share", "bytes_kept"), [(0.0, 0), (None, 0), (0.5, 0), ("mixed", 16)])
def test_shares_that_are_all_alike_take_no_room(tmp_path, share, bytes_kept):
    shares = (0.0, None) if share == "mixed" else (share, share)
    lists = {"a": [("b", 1.0, shares[0]), ("c", 0.5, shares[1])]}
    lake = write_lake(tmp_path, table_rows(lists))
    found = Lookup.open(lake).recommend(["a"])
    assert tuple(row["synthetic_share"] for row in found) == shares
    (folder,) = (lake / "_serving").iterdir()
    assert (folder / "synthetic_share").stat().st_size == bytes_kept


def test_two_lists_of_one_item_are_refused(tmp_path):
    with pytest.raises(InputDataError, match="more than one list of item 'a'"):
        Lookup.open(write_lake(tmp_path, table_rows(ONE), table_rows(TWO)))


def test_an_empty_index_opens_and_knows_nothing(tmp_path):
    lookup = Lookup.open(write_lake(tmp_path, table_rows({"a": []})))
    assert lookup.recommend(["a"]) == []
    assert lookup.n_items == 1


def test_a_parquet_file_that_was_exported_opens_as_the_lake_does(tmp_path, monkeypatch):
    monkeypatch.setattr("llm_i2i_spark.serving.index_reader.NEIGHBORS_AT_ONCE", 7)
    lists = random_lists(40, 9, seed=8)
    lake = write_lake(tmp_path / "lake", table_rows(lists))
    publish(lake, tmp_path / "out" / "index.parquet")
    there, here = Lookup.open(tmp_path / "out" / "index.parquet"), Lookup.open(lake)
    folder = Lookup.open(tmp_path / "out")
    for item in lists:
        wanted = [{**row, "synthetic_share": None} for row in here.recommend([item, "7", "A"])]
        assert there.recommend([item, "7", "A"]) == wanted
        assert folder.neighbors(item) == there.neighbors(item)


def test_a_changed_parquet_file_is_read_again(tmp_path):
    path = tmp_path / "index.parquet"
    for neighbor in ("b", "c"):
        pq.write_table(_neighbors(neighbor_id=[neighbor]), path)
        assert first(Lookup.open(path)) == neighbor


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"score": [None]}, "empty field or a score that is not a number"),
        ({"score": [float("nan")]}, "empty field or a score that is not a number"),
        (
            {"item_id": ["a"] * 2, "rank": [2, 1], "neighbor_id": ["b", "c"], "score": [1.0, 0.5]},
            "order of their rank",
        ),
        (
            {
                "item_id": ["a", "b", "a"],
                "rank": [1] * 3,
                "neighbor_id": ["b", "c", "d"],
                "score": [1.0] * 3,
            },
            "more than one list of item 'a'",
        ),
    ],
)
def test_a_parquet_file_that_does_not_fit_is_refused(tmp_path, columns, sentence):
    pq.write_table(_neighbors(**columns), tmp_path / "index.parquet")
    with pytest.raises(InputDataError, match=sentence):
        Lookup.open(tmp_path / "index.parquet")


def test_a_parquet_file_without_rows_opens_and_knows_nothing(tmp_path):
    pq.write_table(_neighbors().slice(0, 0), tmp_path / "index.parquet")
    lookup = Lookup.open(tmp_path / "index.parquet")
    assert lookup.n_items == 0
    assert lookup.recommend(["a"]) == lookup.neighbors("a") == []


def test_missing_columns_are_named(tmp_path):
    pq.write_table(_neighbors().drop_columns(["score"]), tmp_path / "index.parquet")
    with pytest.raises(InputDataError, match=r"needs the columns .* and lacks score\."):
        Lookup.open(tmp_path / "index.parquet")


def test_ids_of_another_type_are_read_as_text(tmp_path):
    pq.write_table(_neighbors(item_id=[7], neighbor_id=[10]), tmp_path / "index.parquet")
    (row,) = Lookup.open(tmp_path / "index.parquet").neighbors("7")
    assert row["item_id"] == "10"


def _neighbors(**columns):
    return pa.table({"item_id": ["a"], "rank": [1], "neighbor_id": ["b"], "score": [1.0]} | columns)
