from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.sections.ingest import IngestConfig
from llm_i2i_spark.ingest.quarantine import check_interactions
from llm_i2i_spark.ingest.readers import nanosecond_times, read_source

pytestmark = pytest.mark.spark

WANTED = [("007", "a", dt.datetime(2014, 3, 12, 10)), ("7", "b", dt.datetime(2014, 3, 12, 11))]
ROWS = pd.DataFrame(
    {
        "user_id": ["007", "7"],
        "item_id": ["a", "b"],
        "ts": pd.to_datetime([wanted[2] for wanted in WANTED]),
    }
)


def read(spark, path: object, **settings: object) -> list[tuple[object, ...]]:
    config = IngestConfig.model_validate({"interactions": str(path), **settings})
    rows = check_interactions(read_source(spark, config, "interactions"), config).collect()
    return sorted(
        (row["user_id"], row["item_id"], row["ts"]) for row in rows if row["reason"] is None
    )


def test_every_container_gives_the_same_rows(spark, tmp_path: Path):
    ROWS.assign(ts=ROWS["ts"].astype("datetime64[ns]")).to_parquet(tmp_path / "nanoseconds.parquet")
    with nanosecond_times(spark):
        assert read(spark, tmp_path / "nanoseconds.parquet") == WANTED
    ROWS.to_csv(tmp_path / "log.csv", index=False)
    assert read(spark, tmp_path / "log.csv") == WANTED
    ROWS.to_csv(tmp_path / "log.tsv.gz", index=False, sep="\t")
    assert read(spark, tmp_path / "log.tsv.gz") == WANTED
    ROWS.to_json(tmp_path / "log.jsonl", orient="records", lines=True, date_format="iso")
    assert read(spark, tmp_path / "log.jsonl") == WANTED
    frame = spark.createDataFrame(ROWS)
    frame.write.format("delta").save(str(tmp_path / "delta"))
    assert read(spark, tmp_path / "delta") == WANTED
    frame.createOrReplaceTempView("clicks_of_a_test")
    assert read(spark, "clicks_of_a_test") == WANTED


def test_json_numbers_stay_as_written(spark, tmp_path: Path):
    big = 2**63 + 1
    (tmp_path / "log.json").write_text(
        f'{{"user_id": {big}, "item_id": "007", "ts": 1394618400}}\n{{"user_id": 7, "item_id": 7,'
        ' "ts": 1394618400}\n'
    )
    moment = dt.datetime(2014, 3, 12, 10)
    assert read(spark, tmp_path / "log.json") == [("7", "7", moment), (str(big), "007", moment)]


def test_mapped_columns_are_read(spark, tmp_path: Path):
    (tmp_path / "log.csv").write_text(
        "buyer;sku;when\n007;a;2014-03-12 10:00:00\n7;b;2014-03-12 11:00:00\n"
    )
    assert (
        read(
            spark,
            tmp_path / "log.csv",
            columns={"user_id": "buyer", "item_id": "sku", "ts": "when"},
        )
        == WANTED
    )


def test_what_cannot_be_read_is_one_sentence(spark, tmp_path: Path):
    with pytest.raises(
        UserError, match=r"There is nothing at .*none\.parquet; ingest\.interactions must name"
    ):
        read(spark, tmp_path / "none.parquet")
    with pytest.raises(UserError, match="neither a file or folder here nor a table"):
        read(spark, "no_such_table")
    (tmp_path / "log.txt").write_text("Dear\nreader,\nthis is a letter.\n")
    with pytest.raises(UserError, match=r"name or its first lines; set ingest\.format"):
        read(spark, tmp_path / "log.txt")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 this is none")
    with pytest.raises(UserError, match=r"Spark cannot read .*broken\.parquet"):
        read(spark, tmp_path / "broken.parquet")
    with pytest.raises(UserError, match=r"--set ingest\.items=PATH"):
        read_source(spark, IngestConfig(interactions="x"), "items")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(UserError, match=r"empty\.csv is empty; name a file with rows"):
        read(spark, tmp_path / "empty.csv")
