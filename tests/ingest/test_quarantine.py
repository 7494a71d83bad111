from __future__ import annotations

import json

import pytest
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.sections.ingest import IngestConfig
from llm_i2i_spark.ingest.columns import Chosen
from llm_i2i_spark.ingest.formats.base import MALFORMED
from llm_i2i_spark.ingest.quarantine import (
    check_interactions,
    check_items,
    quarantined,
    refuse_bad_input,
)
from llm_i2i_spark.ingest.readers import Source

CONFIG = IngestConfig(max_title_chars=20, weight="use")
GOOD_TS = 1_394_618_400


def source(spark, rows: list[tuple[object, ...]], ddl: str) -> Source:
    frame = spark.createDataFrame(rows, ddl).withColumn(MALFORMED, F.lit(None).cast("string"))
    return Source(
        "log.parquet",
        frame,
        {
            name: Chosen((name,), "same name")
            for name in frame.columns
            if name not in (MALFORMED, "colour")
        },
    )


@pytest.mark.spark
def test_every_planted_bad_row_gets_its_reason_and_no_clean_one_does(spark):
    planted = {
        "user_id is missing": (None, "a", GOOD_TS, 1.0, 0.0),
        "user_id is blank": (" \u00a0\t", "a", GOOD_TS, 1.0, 0.0),
        "user_id is over 1024 bytes": ("\u00e9" * 513, "a", GOOD_TS, 1.0, 0.0),
        "item_id is missing": ("u", None, GOOD_TS, 1.0, 0.0),
        "item_id is blank": ("u", "", GOOD_TS, 1.0, 0.0),
        "ts is not a time": ("u", "a", None, 1.0, 0.0),
        "ts is not within 1995-01-01 and 2100-01-01": ("u", "a", -5, 1.0, 0.0),
        "pos is not a number": ("u", "a", GOOD_TS, 1.0, float("nan")),
        "weight is not a positive number": ("u", "a", GOOD_TS, -2.0, 0.0),
    }
    outside = [("u", "a", ts, 1.0, 0.0) for ts in (0, 2**63 - 1, 253_370_764_800)]
    weights = [("u", "a", GOOD_TS, weight, 0.0) for weight in (0.0, float("nan"), float("inf"))]
    clean = [("u", str(n), GOOD_TS + n, None if n % 2 else 0.5, float(n)) for n in range(200)]
    clean += [
        ("\u00e9" * 512, "\u202e", GOOD_TS, 1.0, 0.0),
        ("x'; DROP TABLE t; --", "\U0001f468\u200d\U0001f469", GOOD_TS, 1.0, 0.0),
    ]
    log = source(
        spark,
        [*planted.values(), *outside, *weights, *clean],
        "user_id string, item_id string, ts bigint, weight double, pos double",
    )
    checked = check_interactions(log, CONFIG)
    bad = quarantined(checked, "interactions", "run-1").collect()
    wanted = sorted(
        [
            *planted,
            *["ts is not within 1995-01-01 and 2100-01-01"] * 3,
            *["weight is not a positive number"] * 3,
        ]
    )
    assert sorted(row["reason"] for row in bad) == wanted
    assert {(row["table"], row["run_id"]) for row in bad} == {("interactions", "run-1")}
    blank = json.loads(next(row["raw"] for row in bad if row["reason"] == "user_id is blank"))
    assert blank == {
        "user_id": " \u00a0\t",
        "item_id": "a",
        "ts": GOOD_TS,
        "weight": 1.0,
        "pos": 0.0,
    }
    good = checked.where("reason IS NULL").collect()
    assert sorted((row["user_id"], row["item_id"]) for row in good) == sorted(
        (row[0], row[1]) for row in clean
    )
    assert {row["weight"] for row in good} == {0.5, 1.0}
    assert {row["event"] for row in good} == {"click"}
    assert {row["raw"] for row in good} == {None}


@pytest.mark.spark
def test_float_ids_that_are_no_whole_numbers_are_refused(spark):
    rows = check_interactions(
        source(spark, [(7.0, 1), (7.5, 2)], "user_id double, item_id int"), CONFIG
    ).collect()
    assert sorted((row["user_id"] or "", row["reason"] or "") for row in rows) == [
        ("", "user_id is not a whole number"),
        ("7", ""),
    ]


@pytest.mark.spark
def test_a_repeated_item_keeps_its_fullest_row_and_an_overlong_title_costs_only_itself(spark):
    rows = [
        ("a", "Lamp", None, "red"),
        ("a", "Lamp", "Lumi", None),
        ("a", "x" * 21, "Lumi", None),
        ("b", "y" * 21, None, "blue"),
        ("c", " ", None, None),
        (None, "Nobody", None, None),
        (None, "Nobody", "Lumi", None),
    ]
    checked = check_items(
        source(spark, rows, "item_id string, title string, brand string, colour string"), CONFIG
    ).collect()
    kept = {
        row["item_id"]: (row["title"], row["brand"], row["extra"]) for row in checked if row["kept"]
    }
    assert kept == {
        "a": ("Lamp", "Lumi", {}),
        "b": (None, None, {"colour": "blue"}),
        "c": (None, None, {}),
    }
    reasons = sorted((row["item_id"] or "", row["reason"]) for row in checked if row["reason"])
    assert reasons == [
        ("", "item_id is missing"),
        ("", "item_id is missing"),
        ("a", "item_id is repeated"),
        ("a", "title is too long"),
        ("b", "title is too long"),
    ]


def test_too_many_bad_rows_and_an_empty_log_stop_the_run():
    with pytest.raises(
        UserError,
        match=r"3 of 10 rows of log\.csv are bad \(3 ts is not a time\).*max_quarantine_share",
    ):
        refuse_bad_input({None: 7, "ts is not a time": 3}, "interactions", "log.csv", 0.2)
    with pytest.raises(UserError, match=r"no interaction in log\.csv: it is empty"):
        refuse_bad_input({}, "interactions", "log.csv", 0.2)
    with pytest.raises(UserError, match="none of its 4 rows is good"):
        refuse_bad_input({"ts is not a time": 4}, "interactions", "log.csv", 1.0)
    refuse_bad_input({None: 8, "ts is not a time": 2}, "interactions", "log.csv", 0.2)
    refuse_bad_input({None: 1, "item_id is repeated": 9}, "items", "items.csv", 0.0)
    refuse_bad_input({}, "items", "items.csv", 0.2)


@pytest.mark.spark
def test_bounds_must_be_days(spark):
    log = source(spark, [("u", "a", GOOD_TS)], "user_id string, item_id string, ts bigint")
    with pytest.raises(UserError, match=r"ingest\.min_ts must be a day"):
        check_interactions(log, IngestConfig(min_ts="last year"))
