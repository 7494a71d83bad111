"""Every row of a log counts, or is counted under its reason."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.online.event_log import read_event_log
from llm_i2i_spark.online.user_sums import count_log

pytestmark = pytest.mark.spark

COLUMNS = ["arm", "user_id", "item_id", "event", "amount", "latency_ms", "ts"]
GOOD = [
    ("A", "u1", "i1", "exposure", None, 12.5, "2024-01-01 10:00:00"),
    ("A", "u1", "i1", "CLICK", None, None, "2024-01-01 10:00:05"),
    ("B", "u2", "i1", "Impression", None, None, "2024-01-01 10:00:00"),
    ("B", "u2", "i1", " purchase ", 0.0, None, "2024-01-01 10:00:00"),
    # What only exposures and orders have is not looked at elsewhere.
    ("B", "u2", "i1", "click", -1.0, -1.0, "2024-01-01 10:00:00"),
]
BAD = {
    "no arm": [(None, "u1", "i1", "click", None, None, "2024-01-01 10:00:00")],
    "no user_id": [
        ("A", " ", "i1", "click", None, None, "2024-01-01 10:00:00"),
        ("A", None, "i1", "click", None, None, "2024-01-01 10:00:00"),
    ],
    "no item_id": [("A", "u1", None, "click", None, None, "2024-01-01 10:00:00")],
    "event is none of exposure, click, order": [
        ("A", "u1", "i1", "hover", None, None, "2024-01-01 10:00:00"),
        ("A", "u1", "i1", None, None, None, "2024-01-01 10:00:00"),
    ],
    "amount of an order is no number from 0": [
        ("A", "u1", "i1", "order", None, None, "2024-01-01 10:00:00"),
        ("A", "u1", "i1", "order", -0.5, None, "2024-01-01 10:00:00"),
        ("A", "u1", "i1", "order", float("inf"), None, "2024-01-01 10:00:00"),
    ],
    "latency_ms is no number from 0": [
        ("A", "u1", "i1", "exposure", None, -3.0, "2024-01-01 10:00:00")
    ],
    "ts is no time": [
        ("A", "u1", "i1", "click", None, None, "yesterday"),
        ("A", "u1", "i1", "click", None, None, None),
    ],
}
ROWS = pd.DataFrame(GOOD + [row for rows in BAD.values() for row in rows], columns=COLUMNS)


def counted(spark: SparkSession, log: object) -> tuple[dict[str, int], dict[str, int]]:
    found = count_log(read_event_log(spark, log))
    return dict(found.arms), dict(found.bad)


WANTED = {"A": 2, "B": 3}, {reason: len(rows) for reason, rows in BAD.items()}


def test_rows_of_a_data_frame_are_judged_one_by_one(spark: SparkSession) -> None:
    assert counted(spark, ROWS) == WANTED


def test_every_form_of_file_is_judged_alike(spark: SparkSession, tmp_path: Path) -> None:
    ROWS.to_csv(tmp_path / "log.csv", index=False)
    ROWS.to_parquet(tmp_path / "log.parquet")
    spark.createDataFrame(ROWS).write.format("delta").save(str(tmp_path / "delta"))
    for name in ("log.csv", "log.parquet", "delta"):
        assert counted(spark, tmp_path / name) == WANTED, name


def test_lines_that_are_no_json_are_counted(spark: SparkSession, tmp_path: Path) -> None:
    lines = [json.dumps(dict(zip(COLUMNS, row, strict=True))) for row in GOOD]
    (tmp_path / "log.jsonl").write_text("\n".join([*lines, '{"arm": "A", "user', ""]))
    arms, bad = counted(spark, tmp_path / "log.jsonl")
    assert (arms, bad) == ({"A": 2, "B": 3}, {"not readable as JSON": 1})


def test_a_log_needs_four_columns_alone(spark: SparkSession) -> None:
    log = read_event_log(spark, pd.DataFrame([("A", 7, 8, "order")], columns=COLUMNS[:4]))
    (row,) = log.good.collect()
    assert (row["user_id"], row["amount"], row["latency_ms"], row["moment"]) == ("7", 0, None, None)
    assert not log.has_amounts
    assert not log.has_latencies


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (pd.DataFrame([("A", "u", "click")], columns=["arm", "user_id", "event"]), "lack item_id"),
        (pd.DataFrame([("A", 0.5, "i", "click")], columns=COLUMNS[:4]), "user_id is double"),
        ("nowhere.parquet", "no file nowhere.parquet"),
    ],
)
def test_what_is_no_event_log_is_one_sentence(spark: SparkSession, log: object, words: str) -> None:
    with pytest.raises(InputDataError, match=words):
        read_event_log(spark, log)


def test_a_file_that_is_none_is_one_sentence(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "log.parquet").write_text("no Parquet")
    with pytest.raises(InputDataError, match="cannot read the event log"):
        read_event_log(spark, tmp_path / "log.parquet")
