from __future__ import annotations

import pytest

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.ingest.columns import find_columns


def test_own_names_are_found_without_a_mapping():
    found = find_columns("interactions", ["ts", "user_id", "item_id", "price"], {}, {}, "log.csv")
    assert found == {"user_id": ("user_id",), "item_id": ("item_id",), "ts": ("ts",)}


def test_a_mapping_wins_over_the_own_name_and_case_may_differ():
    found = find_columns(
        "interactions", ["USER", "user_id", "Item_Id"], {"user_id": "user"}, {}, "log.csv"
    )
    assert found == {"user_id": ("USER",), "item_id": ("Item_Id",)}


def test_two_columns_that_differ_in_case_alone_are_not_guessed_between():
    with pytest.raises(UserError, match="no column item_id"):
        find_columns("items", ["Item_Id", "ITEM_ID"], {}, {}, "items.csv")


def test_public_names_come_after_the_own_ones():
    known = {"item_id": ("parent_asin", "asin"), "brand": ("store",)}
    found = find_columns(
        "items", ["parent_asin", "asin", "store", "title"], {}, known, "meta.jsonl"
    )
    assert found == {"item_id": ("parent_asin", "asin"), "title": ("title",), "brand": ("store",)}


def test_a_missing_column_names_what_is_there_and_the_key():
    with pytest.raises(
        UserError,
        match=(
            r"log\.csv has no column user_id, but buyer, sku; .*--set"
            r" ingest\.columns\.user_id=COLUMN"
        ),
    ):
        find_columns("interactions", ["buyer", "sku"], {"item_id": "sku"}, {}, "log.csv")


def test_a_mapping_to_nothing_and_an_unknown_key_are_errors():
    with pytest.raises(
        UserError, match=r"ingest\.columns\.user_id names 'uid', .* it has user_id, item_id"
    ):
        find_columns("interactions", ["user_id", "item_id"], {"user_id": "uid"}, {}, "log.csv")
    with pytest.raises(UserError, match="knows no 'userid'"):
        find_columns("interactions", ["user_id", "item_id"], {"userid": "user_id"}, {}, "log.csv")


def test_log_and_catalogue_may_call_the_item_differently():
    mapping = {"item_id": "sku"}
    assert find_columns("items", ["item_id"], mapping, {}, "items.csv")["item_id"] == ("item_id",)
    both = {"item_id": "sku", "items_item_id": "product"}
    assert find_columns("items", ["product", "sku"], both, {}, "items.csv")["item_id"] == (
        "product",
    )
    assert find_columns("interactions", ["user_id", "sku"], both, {}, "log.csv")["item_id"] == (
        "sku",
    )
