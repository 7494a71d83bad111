"""Click logs of shops: Taobao, YooChoose (RecSys 2015), Retailrocket, OTTO."""

from __future__ import annotations

from llm_i2i_spark.ingest.public.layout import Layout

TAOBAO = {
    "interactions": (
        Layout(
            {},
            ("UserBehavior.csv",),
            header=("user_id", "item_id", "category_id", "event", "ts"),
        ),
    ),
}
YOOCHOOSE = {
    "interactions": (
        Layout(
            {"user_id": ("session_id",)},
            ("yoochoose-buys.dat", "*buys*"),
            header=("session_id", "ts", "item_id", "price", "quantity"),
        ),
        Layout(
            {"user_id": ("session_id",)},
            ("yoochoose-clicks.dat", "yoochoose-test.dat"),
            header=("session_id", "ts", "item_id", "category"),
        ),
    ),
}
RETAILROCKET = {
    "interactions": (
        Layout(
            {"user_id": ("visitorid",), "item_id": ("itemid",), "ts": ("timestamp",)},
            ("events.csv",),
            signature=frozenset({"visitorid", "itemid"}),
        ),
    ),
}
OTTO = {
    "interactions": (
        Layout(
            {"user_id": ("session",), "item_id": ("aid",), "event": ("type",)},
            ("otto-recsys-train.jsonl", "otto-recsys-test.jsonl"),
            format="json",
            fields="session string, events array<struct<aid: string, ts: string, type: string>>",
            explode="events",
            signature=frozenset({"session", "events"}),
        ),
    ),
}
