"""Logs as users have them, through the whole stage: what orders the clicks, what each of them
counts, and what is odd about ids.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_i2i_spark.backbones import Swing
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.cost.log_size import LOG_SIZE
from llm_i2i_spark.ingest.stage import STAGE
from llm_i2i_spark.lake.tables import Lake
from tests.stage_runs import run_stage

pytestmark = pytest.mark.spark


class Shop:
    """A folder with raw tables; every `ingest` writes a lake of its own.

    Attributes:
        said: messages of the last one.
    """

    def __init__(self, spark, folder: Path, capsys) -> None:
        self.spark, self.folder, self.capsys = spark, folder, capsys
        self.said = ""
        self._runs = 0

    def write(self, name: str, text: str, encoding: str = "utf-8") -> None:
        (self.folder / name).write_bytes(text.encode(encoding))

    def ingest(self, log: str = "clicks.csv", items: str = "", **options: object) -> Lake:
        """`split__holdout="none"` is `split.holdout=none`, other options are of `ingest`."""
        self._runs += 1
        raw = {"ingest.interactions": log, "ingest.items": items}
        overrides = {
            "lake.root": str(self.folder / f"lake{self._runs}"),
            **{key: str(self.folder / name) for key, name in raw.items() if name},
        }
        for name, value in options.items():
            key = name.replace("__", ".")
            overrides[key if key.startswith("split.") else f"ingest.{key}"] = value
        config = load_config(overrides=overrides)
        lake = Lake(self.spark, config.lake)
        self.capsys.readouterr()
        try:
            run_stage(STAGE, lake, config)
        finally:
            self.said = self.capsys.readouterr().err
        return lake

    def histories(self, lake: Lake) -> dict[str, str]:
        """Items of each user in order, those held out in brackets."""
        rows = sorted(
            (row["user_id"], row["position"], row["item_id"], row["fold"])
            for row in lake.read("interactions").collect()
        )
        found: dict[str, list[str]] = {}
        for user, _, item, fold in rows:
            found.setdefault(user, []).append(item if fold == "train" else f"[{item}]")
        return {user: " ".join(items) for user, items in found.items()}

    def weights(self, lake: Lake) -> dict[tuple[str, str], float]:
        rows = lake.read("interactions").collect()
        return {(row["user_id"], row["item_id"]): row["weight"] for row in rows}

    def reasons(self, lake: Lake) -> list[str]:
        return sorted(row["reason"] for row in lake.read("quarantine").collect())


@pytest.fixture
def shop(spark, tmp_path: Path, capsys) -> Shop:
    return Shop(spark, tmp_path, capsys)


def test_a_column_timestamp_orders_the_clicks(shop):
    shop.write(
        "clicks.csv",
        "user_id,item_id,timestamp\nu1,i9,1700000000\nu1,i8,1700000060\nu1,i7,1700000120\n"
        "u2,i9,1700000000\nu2,i7,1700000060\nu2,i8,1700000120\n",
    )
    lake = shop.ingest(split__holdout="last_1")
    assert shop.histories(lake) == {"u1": "i9 i8 [i7]", "u2": "i9 i7 [i8]"}
    assert "ts from timestamp" in shop.said
    assert "UNKNOWN" not in shop.said


def test_without_any_order_the_run_says_so_in_capitals(shop):
    shop.write("clicks.csv", "user_id,item_id,when_it_was\nu1,b,3\nu1,a,4\n")
    lake = shop.ingest(split__holdout="last_1")
    assert shop.histories(lake) == {"u1": "a [b]"}
    assert "THE ORDER OF THE CLICKS IS UNKNOWN" in shop.said
    assert "split.holdout=last_1 holds out are not the last clicks" in shop.said
    assert "user_id, item_id, when_it_was" in shop.said
    assert "--set ingest.columns.ts=COLUMN" in shop.said
    lake = shop.ingest(split__holdout="last_1", columns__ts="when_it_was", min_ts="1970-01-01")
    assert shop.histories(lake) == {"u1": "b [a]"}


def test_ts_comes_before_pos_and_pos_orders_what_has_one_time(shop):
    shop.write(
        "clicks.csv",
        "user_id,item_id,ts,pos\nu1,i0,1700000000,9\nu1,i1,1700000060,8\nu1,i2,1700000120,7\n"
        "u1,i3,1700000180,6\nu2,i1,1700000000,2\nu2,i0,1700000000,1\n",
    )
    lake = shop.ingest(split__holdout="last_1")
    assert shop.histories(lake) == {"u1": "i0 i1 i2 [i3]", "u2": "i0 [i1]"}
    assert "pos falls in 3 of 3 steps in which ts rises" in shop.said
    lake = shop.ingest(split__holdout="last_1", columns__pos="none")
    assert shop.histories(lake) == {"u1": "i0 i1 i2 [i3]", "u2": "i0 [i1]"}
    assert "pos falls" not in shop.said
    lake = shop.ingest(split__holdout="last_1", columns__ts="none")
    assert shop.histories(lake) == {"u1": "i3 i2 i1 [i0]", "u2": "i0 [i1]"}


def test_row_numbers_are_not_taken_for_items(shop):
    shop.write(
        "clicks.csv",
        "id,user_id,item_id,ts\n1,u1,a,1700000000\n2,u1,b,1700000060\n3,u2,a,1700000000\n"
        "4,u2,b,1700000060\n",
    )
    shop.write("items.csv", "id,title\na,Blue cup\nb,Red cup\n")
    with pytest.raises(UserError, match=r"no column item_id, but id, title.*columns\.items_item_"):
        shop.ingest(items="items.csv")
    with pytest.raises(UserError, match=r"Every one of the 4 rows .*items_item_id=COLUMN"):
        shop.ingest(items="items.csv", columns__item_id="id")
    lake = shop.ingest(items="items.csv", columns__items_item_id="id")
    assert {row["title"] for row in lake.read("items").collect()} == {"Blue cup", "Red cup"}
    rows = "".join(f"u{n % 7},{n},{1_700_000_000 + n}\n" for n in range(1000))
    shop.write("rows.csv", f"user_id,product_id,ts\n{rows}")
    with pytest.raises(UserError, match=r"1,000 rows .* has its own item_id"):
        shop.ingest("rows.csv")
    few = [f"u{n % 7},{n},{1_700_000_000 + n}\n" for n in range(20)]
    shop.write("few.csv", "user_id,item_id,ts\n" + "".join(few))
    shop.ingest("few.csv")
    assert "IDS THAT NUMBER THE ROWS? every one of the 20 rows" in shop.said
    shop.write("fewer.csv", "user_id,item_id,ts\n" + "".join(few[:19]))
    shop.ingest("fewer.csv")
    assert "NUMBER THE ROWS" not in shop.said


def test_a_catalogue_has_its_titles_by_their_usual_name_or_says_that_it_has_none(shop):
    shop.write(
        "clicks.csv",
        "user_id,item_id,ts\nu1,a,1700000000\nu1,b,1700000060\nu2,a,1700000000\nu2,b,1700000060\n"
        "u2,c,1700000120\n",
    )
    shop.write("items.csv", "item_id,name\na,Blue cup\nb,Red cup\nc,Tray\n")
    lake = shop.ingest(items="items.csv")
    titles = {row["item_id"]: row["title"] for row in lake.read("items").collect()}
    assert titles == {"a": "Blue cup", "b": "Red cup", "c": "Tray"}
    assert "title from name" in shop.said
    shop.write("items.csv", "item_id,words\na,Blue cup\nb,Red cup\nc,Tray\n")
    shop.ingest(items="items.csv")
    assert "has no column title, so no item has one; it has item_id, words: name it" in shop.said


def test_a_weight_of_another_meaning_changes_nothing_until_it_is_used(shop):
    shop.write(
        "clicks.csv",
        "user_id,item_id,ts,weight\nu1,a,1700000000,0\nu1,b,1700000060,0.4\nu2,a,1700000000,0\n"
        "u2,b,1700000060,0.4\n",
    )
    lake = shop.ingest()
    assert set(shop.weights(lake).values()) == {1.0}
    assert len(shop.weights(lake)) == 4
    assert "weight is ignored, ingest.weight=use counts it" in shop.said
    with pytest.raises(UserError, match=r"2 of 4 rows .* \(2 weight is not a positive number\)"):
        shop.ingest(weight="use")
    lake = shop.ingest(weight="use", max_quarantine_share=0.5)
    assert shop.weights(lake) == {("u1", "b"): 0.4, ("u2", "b"): 0.4}
    shop.write("rated.csv", "user_id,item_id,ts,rating\nu1,a,1700000000,4\nu1,b,1700000060,0.5\n")
    with pytest.raises(UserError, match=r"needs a column of weights .* but .*rating; name it with"):
        shop.ingest("rated.csv", weight="use")
    lake = shop.ingest("rated.csv", weight="use", columns__weight="rating")
    assert shop.weights(lake) == {("u1", "a"): 4.0, ("u1", "b"): 0.5}


EVENTS = (
    "user_id,item_id,timestamp,event_type,rating\n"
    "u1,a,1700000000,purchase,2\nu1,a,1700000060,view,4\nu1,b,1700000120,cart,1\n"
    "u2,a,1700000000,search,3\nu2,b,1700000060,view,5\n"
)


def test_events_have_weights_and_the_strongest_of_a_pair_counts(shop):
    shop.write("clicks.csv", EVENTS)
    plain = shop.ingest()
    assert set(shop.weights(plain).values()) == {1.0}
    assert "the log has the events view 2, cart 1, purchase 1, search 1, which count" in shop.said
    events = {"view": 1, "cart": 3, "purchase": 5, "refund": 2}
    lake = shop.ingest(event_weights=events)
    wanted = {("u1", "a"): 5.0, ("u1", "b"): 3.0, ("u2", "a"): 1.0, ("u2", "b"): 1.0}
    assert shop.weights(lake) == wanted
    assert "event from event_type; event weights view 1, cart 3, purchase 5, refund 2" in shop.said
    assert "search: not in ingest.event_weights, so each of them counts 1" in shop.said
    assert "ingest.event_weights has refund, and the log has view 2" in shop.said
    # Of the pair (u1, a) the view is the latest row: its rating counts, with the purchase's weight.
    lake = shop.ingest(event_weights=events, weight="use", columns__weight="rating")
    ratings = {("u1", "a"): 4, ("u1", "b"): 1, ("u2", "a"): 3, ("u2", "b"): 5}
    assert shop.weights(lake) == {pair: ratings[pair] * wanted[pair] for pair in wanted}
    assert shop.histories(lake) == shop.histories(plain)
    shop.write("plain.csv", "user_id,item_id,ts\nu1,a,1700000000\n")
    with pytest.raises(UserError, match="event_weights needs a column of events"):
        shop.ingest("plain.csv", event_weights=events)


def test_after_a_pause_a_user_begins_another_history(shop):
    minutes = {"u": [0, 10, 40, 71, 71], "u#1": [0, 500]}
    rows = [
        f"{user},i{n % 3},{1_700_000_000 + 60 * minute}\n"
        for user, times in minutes.items()
        for n, minute in enumerate(times)
    ]
    shop.write("clicks.csv", "session_user,item_id,ts\n" + "".join(rows))
    options = {"columns__user_id": "session_user", "session_gap": "30m"}
    lake = shop.ingest(split__holdout="last_1", **options)
    assert shop.histories(lake) == {
        "u#1": "i0 i1 [i2]",
        "u#2": "i0 [i1]",
        "u#1#1": "i0",
        "u#1#2": "i1",
    }
    assert "sessions end after 30m" in shop.said
    with pytest.raises(UserError, match="session_gap needs times"):
        shop.ingest(columns__ts="none", **options)
    with pytest.raises(UserError, match="a pause is a number with its unit"):
        shop.ingest(session_gap="30")


def test_holdout_by_time_cuts_sessions_and_plain_logs_at_one_moment(shop):
    rows = "".join(f"u{n % 5},i{n % 7},{1_700_000_000 + 3600 * n}\n" for n in range(100))
    shop.write("clicks.csv", f"user_id,item_id,ts\n{rows}")
    for gap in (None, "4h"):
        lake = shop.ingest(split__holdout="time", split__holdout_share=0.1, session_gap=gap)
        spans = lake.read("interactions").groupBy("fold").agg({"ts": "min", "*": "count"}).collect()
        firsts = {row["fold"]: row["min(ts)"] for row in spans}
        assert firsts["train"] < firsts["valid"] < firsts["test"]
        latest = lake.read("interactions").where("fold = 'train'").agg({"ts": "max"}).first()[0]
        assert latest < firsts["valid"]


@pytest.mark.parametrize(
    ("times", "pattern", "suggested", "wanted"),
    [
        (
            ["11/12/2019 2:14:46 PM", "11/13/2019 5:53:12 AM"],
            "M/d/yyyy h:mm:ss a",
            "--set 'ingest.ts_format=M/d/yyyy h:m:s a'",
            ["2019-11-12 14:14:46", "2019-11-13 05:53:12"],
        ),
        (
            ["Fri Apr 07 22:59:00 -0700 2017"],
            "%a %b %d %H:%M:%S %z %Y",
            "--set 'ingest.ts_format=E MMM d H:m:s [XXX][XX][X] yyyy'",
            ["2017-04-08 05:59:00"],
        ),
        (["20240101"], None, None, ["2024-01-01 00:00:00"]),
        (["1.700000000e+09"], None, None, ["2023-11-14 22:13:20"]),
    ],
    ids=["us", "twitter", "compact", "sci"],
)
def test_times_of_public_logs_are_read_or_their_pattern_is_named(
    shop, times, pattern, suggested, wanted
):
    rows = "".join(f"u1,{item},{moment}\n" for item, moment in zip("ab", times, strict=False))
    shop.write("clicks.csv", f"user_id,item_id,ts\n{rows}")
    if suggested:
        with pytest.raises(UserError) as caught:
            shop.ingest()
        assert f"{len(times)} ts is not a time; times such as" in str(caught.value)
        assert suggested in str(caught.value)
    lake = shop.ingest(ts_format=pattern)
    rows = lake.read("interactions").orderBy("position").collect()
    assert [str(row["ts"]) for row in rows] == wanted


def test_a_time_of_day_is_not_a_time(shop):
    shop.write("clicks.csv", "user_id,item_id,ts\nu1,a,08:00:00\nu1,b,09:30:00\nu2,a,08:10:00\n")
    with pytest.raises(UserError, match=r"3 ts is not a time; '0.*a time of day without its day"):
        shop.ingest()
    days = "u1,b,2024-01-01\nu2,a,2024-01-02\n" * 3
    shop.write("more.csv", f"user_id,item_id,ts\nu1,a,08:00:00\n{days}")
    assert shop.reasons(shop.ingest("more.csv")) == ["ts is not a time"]
    assert "some rows have no time; '08:00:00' is a time of day" in shop.said


def test_a_clock_that_starts_at_zero_is_read_where_min_ts_allows_for_it(shop):
    shop.write("clicks.csv", "user_id,item_id,ts\nu1,a,10\nu1,b,20\nu2,a,30\n")
    lake = shop.ingest(min_ts="1970-01-01", split__holdout="last_1")
    assert shop.histories(lake) == {"u1": "a [b]", "u2": "a"}
    moments = {str(row["ts"]) for row in lake.read("interactions").collect()}
    assert moments == {"1970-01-01 00:00:10", "1970-01-01 00:00:20", "1970-01-01 00:00:30"}


def test_ids_that_stand_for_nobody_are_named_and_users_of_one_click_stay(shop):
    rows = [("NA", f"i{n}", n) for n in range(6)] + [("u1", "i0", 1), ("u2", "i1", 2)]
    rows += [("u3", "null", 3), ("0", "i1", 4)] + [("7", f"i{n}", 5) for n in range(4)]
    lines = "".join(f"{user},{item},{1_700_000_000 + ts}\n" for user, item, ts in rows)
    shop.write("clicks.csv", f"user_id,item_id,ts\n{lines}")
    lake = shop.ingest(split__holdout="last_1")
    assert "user_id is 'NA' in 6 of 14 rows" in shop.said
    assert "item_id is 'null' in 1 of 14 rows" in shop.said
    assert "user_id is '0'" not in shop.said
    histories = shop.histories(lake)
    assert histories["NA"] == "i0 i1 i2 i3 i4 [i5]"
    assert (histories["u1"], histories["u3"]) == ("i0", "null")


def test_ids_that_are_spelled_otherwise_in_the_catalogue_are_said_with_the_cause(shop):
    shop.write(
        "clicks.csv", "user_id,item_id,ts\nu1,10,1700000000\nu1,11,1700000060\nu2,10,1700000000\n"
    )
    for spelling, cause in (
        ("{}.0", "ids written as floats (10.0 for 10)"),
        ("00{}", "leading zeros (007 for 7)"),
        (" {}", "blanks around the ids"),
    ):
        ids = [spelling.format(number) for number in (10, 11)]
        shop.write("items.csv", f'item_id,title\n"{ids[0]}",A cup\n"{ids[1]}",A tray\n')
        shop.ingest(items="items.csv")
        assert "knows NONE of the 2 items of the log (the log has '10', '11'" in shop.said
        assert f"they differ by {cause}" in shop.said
    shop.write("items.csv", "item_id,title\n10,A cup\n12,A tray\n")
    shop.ingest(items="items.csv")
    assert "items of the log (" not in shop.said


def test_ids_that_cannot_be_told_apart_are_quarantined(shop):
    lines = [
        r'{"user_id": "u1", "item_id": "a\ud800", "ts": 1700000000}',
        r'{"user_id": "u1", "item_id": "a\udbff", "ts": 1700000000}',
        r'{"user_id": "\udc00", "item_id": "a", "ts": 1700000000}',
        r'{"user_id": "u2", "item_id": "what? \ud83d\ude00", "ts": 1700000000}',
        r'{"user_id": "u2", "item_id": "\\ud800?", "ts": 1700000000}',
        '{"user_id": "u3", "item_id": {"id": 1}, "ts": 1700000000}',
        '{"user_id": "u3", "item_id": [1, 2], "ts": 1700000000}',
        '{"user_id": "u4", "item_id": "[x", "ts": 1700000000}',
        '{"user_id": "u5", "item_id": "b\ufffd", "ts": 1700000000}',
    ]
    shop.write("clicks.jsonl", "\n".join(lines) + "\n")
    lake = shop.ingest("clicks.jsonl", max_quarantine_share=1.0)
    assert shop.reasons(lake) == [
        "item_id has half a surrogate pair",
        "item_id has half a surrogate pair",
        "item_id is JSON, not an id",
        "item_id is JSON, not an id",
        "item_id is not valid UTF-8",
        "user_id has half a surrogate pair",
    ]
    assert shop.histories(lake).keys() == {"u2", "u4"}
    # The bytes of Latin-1 are no UTF-8: Parquet holds them as they are.
    path = str(shop.folder / "clicks.parquet")
    shop.spark.sql(
        "SELECT 'u' AS user_id, CAST(x'61E9' AS string) AS item_id, 1700000000 AS ts UNION ALL"
        " SELECT 'u', 'é', 1700000001"
    ).write.parquet(path)
    lake = shop.ingest("clicks.parquet", max_quarantine_share=1.0)
    assert shop.reasons(lake) == ["item_id is not valid UTF-8"]


def test_a_user_of_50_000_clicks_beside_users_of_one_is_a_log_like_any_other(shop):
    many, few = 50_000, 200
    clicks = [f"bot,i{n % many},{1_700_000_000 + n}\n" for n in range(many)]
    clicks += [f"once{n},i{n % 7},{1_700_000_000 + n}\n" for n in range(few)]
    clicks += [f"twice{n},i{n % 7 + k},{1_700_000_000 + k}\n" for n in range(few) for k in (0, 1)]
    shop.write("clicks.csv", "user_id,item_id,ts\n" + "".join(clicks))
    lake = shop.ingest(split__holdout="last_1")
    assert "wrote interactions (50,399 train, 201 test) of 401 users with 50,000 items" in shop.said
    size = lake.history("item_stats", 1)[0].record.attributes[LOG_SIZE]
    assert size["at_position"] == {"train": [401] + [1] * 255, "test": [0, 200]}
    rows = lake.read("interactions")
    held_out = {row["user_id"]: row["position"] for row in rows.where("fold = 'test'").collect()}
    assert held_out == {"bot": many - 1} | {f"twice{n}": 1 for n in range(few)}
    similar = Swing(max_users_per_item=100).similar_items(rows.select("user_id", "item_id"))
    best = {row["item_id"]: row["neighbor_id"] for row in similar.collect() if row["support"] > 20}
    # The cap keeps a thousand of the bot's items, and users of one item connect nothing.
    assert set(best) == {f"i{n}" for n in range(8)}
    assert all(abs(int(best[item][1:]) - int(item[1:])) == 1 for item in best)
