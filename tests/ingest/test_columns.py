from __future__ import annotations

import pytest

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.ingest.columns import USUAL_NAMES, find_columns


def names_of(*arguments) -> dict[str, tuple[str, ...]]:
    return {name: chosen.names for name, chosen in find_columns(*arguments).items()}


def test_own_names_are_found_without_a_mapping():
    found = names_of("interactions", ["ts", "user_id", "item_id", "price"], {}, {}, "log.csv")
    assert found == {"user_id": ("user_id",), "item_id": ("item_id",), "ts": ("ts",)}


def test_a_mapping_wins_over_the_own_name_and_case_may_differ():
    found = names_of(
        "interactions", ["USER", "user_id", "Item_Id"], {"user_id": "user"}, {}, "log.csv"
    )
    assert found == {"user_id": ("USER",), "item_id": ("Item_Id",)}


def test_two_columns_that_differ_in_case_alone_are_not_guessed_between():
    with pytest.raises(UserError, match="may be the item_id, Item_Id and ITEM_ID: say which with"):
        find_columns("items", ["Item_Id", "ITEM_ID"], {}, {}, "items.csv")


def test_public_names_come_after_the_own_ones():
    known = {"item_id": ("parent_asin", "asin"), "brand": ("store",)}
    found = names_of("items", ["parent_asin", "asin", "store", "title"], {}, known, "meta.jsonl")
    assert found == {"item_id": ("parent_asin", "asin"), "title": ("title",), "brand": ("store",)}


def test_a_missing_column_names_what_is_there_and_the_key():
    with pytest.raises(
        UserError,
        match=(
            r"log\.csv has no column user_id, but who, sku; .*--set"
            r" ingest\.columns\.user_id=COLUMN"
        ),
    ):
        find_columns("interactions", ["who", "sku"], {"item_id": "sku"}, {}, "log.csv")


def test_a_mapping_to_nothing_and_an_unknown_key_are_errors():
    with pytest.raises(
        UserError, match=r"ingest\.columns\.user_id names 'uid', .* it has user_id, item_id"
    ):
        find_columns("interactions", ["user_id", "item_id"], {"user_id": "uid"}, {}, "log.csv")
    with pytest.raises(UserError, match="knows no 'userid'"):
        find_columns("interactions", ["user_id", "item_id"], {"userid": "user_id"}, {}, "log.csv")


def test_log_and_catalogue_may_call_the_item_differently():
    mapping = {"item_id": "sku"}
    assert names_of("items", ["item_id"], mapping, {}, "items.csv")["item_id"] == ("item_id",)
    both = {"item_id": "sku", "items_item_id": "product"}
    assert names_of("items", ["product", "sku"], both, {}, "items.csv")["item_id"] == ("product",)
    assert names_of("interactions", ["user_id", "sku"], both, {}, "log.csv")["item_id"] == ("sku",)


def test_every_usual_name_is_found_however_it_is_written():
    for name, usual in USUAL_NAMES.items():
        table = "items" if name in ("title", "brand", "category") else "interactions"
        rest = [one for one in ("user_id", "item_id") if one != name]
        for words in usual.split(", "):
            for raw in (
                words.replace(" ", "_"),
                words.title().replace(" ", ""),
                f" {words.upper()}",
            ):
                chosen = find_columns(table, [*rest, raw], {}, {}, "raw.csv")[name]
                assert (chosen.names, chosen.why) == ((raw,), "usual name")


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (
            ["event_time", "event_type", "product_id", "category_id", "user_id", "user_session"],
            {"ts": "event_time", "event": "event_type", "item_id": "product_id"},
        ),
        (["session", "aid", "ts", "type"], {"user_id": "session", "item_id": "aid"}),
        (
            ["timestamp", "visitorid", "event", "itemid", "transactionid"],
            {"ts": "timestamp", "user_id": "visitorid", "item_id": "itemid"},
        ),
        (
            ["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "CustomerID"],
            {"ts": "InvoiceDate", "user_id": "CustomerID", "item_id": "StockCode"},
        ),
        (["User-ID", "ISBN", "Book-Rating"], {"user_id": "User-ID", "item_id": "ISBN"}),
        (
            ["t_dat", "customer_id", "article_id", "price"],
            {"ts": "t_dat", "user_id": "customer_id"},
        ),
    ],
)
def test_public_logs_are_found_by_their_names_and_ratings_are_no_weights(raw, wanted):
    found = find_columns("interactions", raw, {}, {}, "log.csv")
    assert {name: found[name].names for name in wanted} == {
        name: (column,) for name, column in wanted.items()
    }
    assert "weight" not in found


def test_two_usual_names_are_a_question_that_the_mapping_answers():
    raw = ["user", "item", "date", "time"]
    with pytest.raises(
        UserError,
        match=(
            r"log\.csv has several columns that may be the ts, date and time: say which with --set"
            r" ingest\.columns\.ts=date or --set ingest\.columns\.ts=time or --set"
            r" ingest\.columns\.ts=none\."
        ),
    ):
        find_columns("interactions", raw, {}, {}, "log.csv")
    assert names_of("interactions", raw, {"ts": "time"}, {}, "log.csv")["ts"] == ("time",)
    assert "ts" not in names_of("interactions", raw, {"ts": "none"}, {}, "log.csv")
    assert names_of("interactions", [*raw, "ts"], {}, {}, "log.csv")["ts"] == ("ts",)


def test_none_leaves_any_optional_column_alone_and_no_other():
    raw = ["user_id", "item_id", "ts", "pos", "event", "weight", "timestamp"]
    for name in ("ts", "pos", "event", "weight"):
        found = names_of("interactions", raw, {name: "None"}, {}, "log.csv")
        assert name not in found
        assert len(found) == 5
    with pytest.raises(UserError, match=r"ingest\.columns\.user_id cannot be none"):
        find_columns("interactions", raw, {"user_id": "none"}, {}, "log.csv")


def test_a_catalogue_without_its_id_names_the_key_of_the_catalogue():
    with pytest.raises(
        UserError, match=r"no column item_id, but id, title; .*items_item_id=COLUMN"
    ):
        find_columns("items", ["id", "title"], {}, {}, "items.csv")
    with pytest.raises(UserError, match=r"ingest\.columns\.item_id names 'id', which is not a"):
        find_columns("interactions", ["user_id", "product"][:1], {"item_id": "id"}, {}, "log.csv")


def test_a_mapping_says_whether_it_replaces_the_own_name():
    raw = ["id", "user_id", "item_id"]
    chosen = find_columns("interactions", raw, {"item_id": "id"}, {}, "log.csv")["item_id"]
    assert (chosen.names, chosen.why, chosen.replaces_own) == (("id",), "ingest.columns", True)
    for mapping, columns in (({"item_id": "id"}, raw[:2]), ({}, raw)):
        assert not find_columns("interactions", columns, mapping, {}, "x")["item_id"].replaces_own


def test_a_column_that_is_one_thing_already_is_not_another_by_its_usual_name():
    found = names_of("interactions", ["user", "sku", "time"], {"event": "time"}, {}, "log.csv")
    assert found == {"user_id": ("user",), "item_id": ("sku",), "event": ("time",)}
