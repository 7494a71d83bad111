"""The lake: contracts are enforced, a retried write adds nothing, versions stay readable."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import ConfigError, StageError, UserError
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lake.tables import Lake, contract_schema
from tests.stage_runs import put_rows, record_of

pytestmark = pytest.mark.spark


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load_config([], [f"lake.root={tmp_path / 'lake'}"])


def _fused(spark: SparkSession, weight: float = 1.0) -> DataFrame:
    source = "real" if weight == 1.0 else "synthetic"
    rows = [
        ("real", "u1", "i1", weight, source, None, None, 0),
        ("real", "u1", "007", 1.0, "real", None, None, 1),
    ]
    return spark.createDataFrame(rows, contract_schema(TABLES["fused"]))


def _metrics(spark: SparkSession, run_id: str) -> DataFrame:
    rows = [(run_id, "real", "swing", "refit", "all", "recall", 10, 0.1, None, None, 5)]
    return spark.createDataFrame(rows, contract_schema(TABLES["metrics"]))


def test_a_write_is_one_commit_with_its_record_and_old_versions_stay_readable(
    spark: SparkSession, config: Config
) -> None:
    lake = Lake(spark, config.lake)
    assert lake.version("fused") is None
    first = put_rows(lake, config, "fused", _fused(spark), run_id="r1")
    second = put_rows(
        lake, config, "fused", _fused(spark, 0.5), run_id="r2", reads={"interactions": 4}
    )
    latest = lake.history("fused", limit=1)[0]
    assert latest.version == second == first + 1
    assert latest.rows == 2
    assert latest.record is not None
    assert (latest.record.run_id, latest.record.reads) == ("r2", {"interactions": 4})
    assert {row["weight"] for row in lake.read("fused", first).collect()} == {1.0}
    assert {row["item_id"] for row in lake.read("fused").collect()} == {"i1", "007"}


def test_rows_lie_in_the_order_of_what_they_are_looked_up_by(
    spark: SparkSession, config: Config
) -> None:
    lake = Lake(spark, config.lake)
    (row,) = _fused(spark).limit(1).collect()
    rows = [{**row.asDict(), "user_id": str(number * 7 % 100)} for number in range(100)]
    frame = spark.createDataFrame(rows, contract_schema(TABLES["fused"])).repartition(2)
    put_rows(lake, config, "fused", frame)
    files = [pq.read_table(one) for one in Path(lake.path("fused")).glob("*.parquet")]
    users = [file["user_id"].to_pylist() for file in files]
    assert sum(map(len, users)) == 100
    assert users == [sorted(one) for one in users]


@pytest.mark.faults("F6", end="same")
def test_a_retried_write_adds_nothing(spark: SparkSession, config: Config) -> None:
    lake = Lake(spark, config.lake)
    record = record_of(config, "metrics")
    lake.write(_metrics(spark, "r1"), record)
    version = lake.version("metrics")
    assert version is not None
    # The same attempt again, as a driver does that died between the commit and hearing of it.
    retry = (
        _metrics(spark, "r1")
        .write.format("delta")
        .mode("append")
        .option("userMetadata", record.to_json())
    )
    retry.option("txnAppId", f"llm_i2i.{record.run_id}.metrics").option("txnVersion", version).save(
        lake.path("metrics")
    )
    assert lake.read("metrics").count() == 1
    put_rows(lake, config, "metrics", _metrics(spark, "r2"), run_id="r2")
    assert lake.read("metrics").count() == 2


def test_rows_that_break_the_contract_are_refused_and_the_table_stays(
    spark: SparkSession, config: Config
) -> None:
    lake = Lake(spark, config.lake)
    record = record_of(config, "fused", [{"variant": "real"}])
    version = lake.write(_fused(spark), record)
    with pytest.raises(StageError, match="edge_weight"):
        lake.write(_fused(spark, -1.0), record)
    with pytest.raises(StageError, match="contract"):
        lake.write(_fused(spark).drop("weight"), record)
    with pytest.raises(StageError, match="contract"):
        lake.write(_fused(spark).withColumn("position", F.col("position").cast("long")), record)
    assert lake.version("fused") == version


def test_tables_of_earlier_versions_get_new_columns_and_lose_retired_constraints(
    spark: SparkSession, config: Config
) -> None:
    lake = Lake(spark, config.lake)
    put_rows(lake, config, "fused", _fused(spark))
    spark.sql(
        f"ALTER TABLE delta.`{lake.path('fused')}` ADD CONSTRAINT real_edge_weight"
        " CHECK (source <> 'real' OR weight = 1)"
    )
    weighted = _fused(spark).withColumn("weight", F.lit(0.5))
    put_rows(lake, config, "fused", weighted)
    put_rows(lake, config, "fused", weighted)
    assert {row["weight"] for row in lake.read("fused").collect()} == {0.5}
    table = TABLES["sft_discriminator"]
    rows = [("base", "u|1", "u", 1, [], ("a", "A"), True, 0.5)]
    examples = spark.createDataFrame(rows, contract_schema(table))
    examples.drop("weight").write.format("delta").save(lake.path(table.name))
    other = examples.withColumn("branch", F.lit("no_long_tail_loss"))
    put_rows(lake, config, table.name, other)
    found = {row["branch"]: row["weight"] for row in lake.read(table.name).collect()}
    assert found == {"base": None, "no_long_tail_loss": 0.5}
    both = DeltaRsLake(config.lake).read(table.name, None, ["user_id", "weight"])
    assert sorted(both["weight"].to_pylist(), key=str) == [0.5, None]


def test_missing_tables_and_places_are_sentences(spark: SparkSession, config: Config) -> None:
    with pytest.raises(UserError, match="run stage fuse first"):
        Lake(spark, config.lake).read("fused")
    with pytest.raises(UserError, match=r"lake\.root"):
        Lake(spark, load_config([], []).lake)
    with pytest.raises(UserError, match=r"catalog\.schema"):
        Lake(spark, load_config([], ["lake.schema='a b; DROP TABLE x'"]).lake)


@pytest.mark.parametrize("schema", ["shop_lake", "spark_catalog.shop_lake"])
def test_tables_can_be_registered_in_a_schema(
    spark: SparkSession, config: Config, schema: str
) -> None:
    spark.sql("CREATE SCHEMA IF NOT EXISTS shop_lake")
    try:
        lake = Lake(spark, config.lake.model_copy(update={"schema_name": schema}))
        put_rows(lake, config, "fused", _fused(spark))
        assert spark.table(f"{schema}.fused").count() == 2
        elsewhere = config.lake.model_copy(
            update={"schema_name": schema, "root": f"{config.lake.root}_2"}
        )
        with pytest.raises(ConfigError, match="in another folder"):
            put_rows(Lake(spark, elsewhere), config, "fused", _fused(spark))
    finally:
        spark.sql("DROP SCHEMA shop_lake CASCADE")


def test_a_schema_can_be_the_only_place_of_the_tables(spark: SparkSession, config: Config) -> None:
    spark.sql("CREATE SCHEMA lake_alone")
    try:
        where = {"schema_name": "spark_catalog.lake_alone", "root": None}
        lake = Lake(spark, config.lake.model_copy(update=where))
        put_rows(lake, config, "fused", _fused(spark))
        second = put_rows(lake, config, "fused", _fused(spark, 0.5), run_id="r2")
        assert {row["weight"] for row in lake.read("fused", second - 1).collect()} == {1.0}
        assert [commit.rows for commit in lake.history("fused", 2)] == [2, 2]
        assert set(spark.table("spark_catalog.lake_alone.fused").columns) >= {"weight"}
    finally:
        spark.sql("DROP SCHEMA lake_alone CASCADE")


def test_tables_of_jobs_without_a_jvm_are_registered_too(
    spark: SparkSession, config: Config
) -> None:
    spark.sql("CREATE SCHEMA IF NOT EXISTS shop_lake")
    try:
        put_rows(Lake(spark, config.lake), config, "fused", _fused(spark))
        lake = Lake(spark, config.lake.model_copy(update={"schema_name": "shop_lake"}))
        for table in ("fused", "fused", "checkpoints"):
            lake.register(table)
        assert spark.table("shop_lake.fused").count() == 2
        assert not spark.catalog.tableExists("shop_lake.checkpoints")
    finally:
        spark.sql("DROP SCHEMA shop_lake CASCADE")


@pytest.mark.parametrize("schema", ["no_such", "spark_catalog.no_such", "main.recommendations"])
def test_a_schema_that_is_not_there_is_a_sentence(
    spark: SparkSession, config: Config, schema: str
) -> None:
    with pytest.raises(ConfigError, match=f"There is no schema {schema}.*CREATE SCHEMA `"):
        Lake(spark, config.lake.model_copy(update={"schema_name": schema}))
