"""The whole stage on poison, on next to nothing, and on a real log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.ingest.stage import STAGE
from llm_i2i_spark.lake.tables import Lake
from tests.stage_runs import run_stage

pytestmark = pytest.mark.spark


def ingest(spark, root: Path, log: Path, *settings: str) -> Lake:
    config = load_config([], [f"lake.root={root}", f"ingest.interactions={log}", *settings])
    lake = Lake(spark, config.lake)
    run_stage(STAGE, lake, config, run_id="run-1")
    return lake


def test_poison_is_quarantined_and_changes_nothing_else(spark, tmp_path: Path, capsys):
    clean = [
        json.dumps({"user_id": f"u{n % 5}", "item_id": f"i{n}", "ts": 1_394_618_400 + n})
        for n in range(20)
    ]
    poison = [
        '{"user_id": "u1", "item_id"',
        '{"user_id": "u1", "item_id": "i1", "ts": -1}',
        '{"item_id": "i1", "ts": 1394618400}',
    ]
    (tmp_path / "clean.jsonl").write_text("\n".join(clean) + "\n")
    (tmp_path / "poisoned.jsonl").write_text("\n".join([*poison, *reversed(clean), *clean]) + "\n")
    (tmp_path / "items.jsonl").write_text(
        '{"item_id": "i1", "title": "Lamp"}\n{"item_id": "cold", "title": "Desk"}\nnot'
        ' json\n{"title": "x"}\n'
    )
    plain = ingest(spark, tmp_path / "plain", tmp_path / "clean.jsonl")
    items = [f"ingest.items={tmp_path / 'items.jsonl'}", "ingest.max_quarantine_share=0.6"]
    lake = ingest(spark, tmp_path / "lake", tmp_path / "poisoned.jsonl", *items)
    rows = [sorted(map(str, one.read("interactions").collect())) for one in (plain, lake)]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 20
    quarantine = {
        (row["table"], row["reason"], row["raw"]) for row in lake.read("quarantine").collect()
    }
    assert quarantine == {
        (
            "interactions",
            "line is malformed",
            json.dumps({"line": poison[0]}, separators=(",", ":")),
        ),
        ("interactions", "ts is not within 1995-01-01 and 2100-01-01", poison[1]),
        ("interactions", "user_id is missing", poison[2]),
        ("items", "line is malformed", '{"line":"not json"}'),
        ("items", "item_id is missing", '{"title": "x"}'),
    }
    texts = {row["item_id"]: row["text"] for row in lake.read("items").collect()}
    assert len(texts) == 21
    assert (texts["i1"], texts["cold"], texts["i2"]) == ("Lamp", "Desk", "i2")
    stats = {row["item_id"]: row["n_interactions"] for row in lake.read("item_stats").collect()}
    assert stats["cold"] == 0
    assert sum(stats.values()) == 10
    record = lake.history("quarantine", limit=1)[0].record
    assert record is not None
    assert record.attributes["reasons"]["item_id is missing"] == 1
    said = capsys.readouterr().err
    assert "wrote interactions (10 train, 5 valid, 5 test) of 5 users with 21 items" in said
    assert "1 user_id is missing" in said


def test_too_much_poison_writes_nothing(spark, tmp_path: Path):
    (tmp_path / "log.csv").write_text("user_id,item_id,ts\nu,a,1394618400\nu,b,never\n")
    with pytest.raises(UserError, match=r"1 of 2 rows of .* are bad"):
        ingest(spark, tmp_path / "lake", tmp_path / "log.csv")
    assert not any((tmp_path / "lake" / table).exists() for table in STAGE.writes)
    (tmp_path / "log.csv").write_text("user_id,item_id\nu,a\n")
    with pytest.raises(UserError, match="holdout=time needs times"):
        ingest(spark, tmp_path / "lake", tmp_path / "log.csv", "split.holdout=time")


def test_one_row_without_any_order_is_a_valid_log(spark, tmp_path: Path, capsys):
    (tmp_path / "log.csv").write_text("user_id,item_id\n007,a\n")
    lake = ingest(spark, tmp_path / "lake", tmp_path / "log.csv")
    (row,) = lake.read("interactions").collect()
    assert row.asDict() == {
        "user_id": "007",
        "item_id": "a",
        "ts": None,
        "position": 0,
        "event": "click",
        "weight": 1.0,
        "fold": "train",
        "held_back": False,
    }
    (stat,) = lake.read("item_stats").collect()
    assert (stat["n_interactions"], stat["popularity_rank"], stat["is_long_tail"]) == (1, 1, False)
    assert lake.read("quarantine").count() == 0
    assert "neither ts nor pos" in capsys.readouterr().err


@pytest.mark.data
def test_beauty(spark, tmp_path: Path, data_folder: Path):
    items = f"ingest.items={data_folder / 'beauty_items.parquet'}"
    lake = ingest(spark, tmp_path / "lake", data_folder / "beauty_interactions.parquet", items)
    counts = (
        lake.read("interactions")
        .selectExpr("count(*)", "count(DISTINCT user_id)", "count(DISTINCT item_id)")
        .collect()[0]
    )
    assert tuple(counts) == (198_502, 22_363, 12_101)
    folds = {
        row["fold"]: row["count"]
        for row in lake.read("interactions").groupBy("fold").count().collect()
    }
    assert folds == {"train": 153_776, "valid": 22_363, "test": 22_363}
    assert lake.read("quarantine").count() == 0
    assert lake.read("items").count() == 12_101
    stats = (
        lake.read("item_stats")
        .selectExpr("sum(n_interactions)", "count_if(is_long_tail)", "count(*)")
        .collect()[0]
    )
    assert tuple(stats) == (153_776, 2_420, 12_101)
    # The raw log is in order already: pos is the place in the user's history.
    given = spark.read.parquet(str(data_folder / "beauty_interactions.parquet")).selectExpr(
        "string(user_id)", "string(item_id)", "pos AS position"
    )
    assert given.exceptAll(
        lake.read("interactions").select("user_id", "item_id", "position")
    ).isEmpty()


def test_items_are_held_back_where_the_catalogue_has_new_ones(spark, tmp_path: Path):
    clicks = [f"u{n % 7},i{n},{1_394_618_400 + n}" for n in range(400)]
    (tmp_path / "log.csv").write_text("\n".join(["user_id,item_id,ts", *clicks]) + "\n")

    def held_back(name: str, catalogue: int, *settings: str) -> int:
        file = tmp_path / f"{name}.csv"
        file.write_text("".join(["item_id,title\n", *(f"i{n},Title\n" for n in range(catalogue))]))
        items = f"ingest.items={file}"
        lake = ingest(spark, tmp_path / name, tmp_path / "log.csv", items, *settings)
        return lake.read("interactions").where("held_back").count()

    assert held_back("none new", 400) == 0
    assert 8 <= held_back("many new", 600) <= 34  # a twentieth
    assert 0 < held_back("few new", 408) < held_back("as told", 408, "split.held_back_items=0.3")
