"""One lake, two readers: with Spark and without a JVM, every claim here holds for both."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from llm_i2i_spark.base.errors import InputDataError, UserError
from llm_i2i_spark.base.run_record import commit_of, fingerprint_in
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lake.tables import Lake
from tests.stage_runs import put_rows

pytestmark = pytest.mark.spark

REAL, SERVED = {"variant": "real"}, {"variant": "real_served"}


def rows(variant: str, item: str) -> list[tuple[Any, ...]]:
    return [(variant, "u", item, 1.0, "real", None, None, 0)]


@pytest.fixture(scope="module")
def written(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A lake whose table `fused` has two variants, one of them written twice."""
    config = load_config([], [f"lake.root={tmp_path_factory.mktemp('lake')}"])
    lake = Lake(spark, config.lake)
    put_rows(lake, config, "fused", rows("real", "007"), fingerprint="a")
    put_rows(lake, config, "fused", rows("real_served", "é"), fingerprint="b")
    put_rows(lake, config, "fused", rows("real", "7"), fingerprint="c")
    return config


@pytest.fixture(params=["spark", "delta-rs"])
def lake(
    request: pytest.FixtureRequest, spark: SparkSession, written: Config
) -> Lake | DeltaRsLake:
    return Lake(spark, written.lake) if request.param == "spark" else DeltaRsLake(written.lake)


def items(lake: Lake | DeltaRsLake, *where: Any) -> set[str]:
    if isinstance(lake, Lake):
        return {row["item_id"] for row in lake.read("fused", *where).collect()}
    version, *scope = where or (None,)
    found = lake.read("fused", version, ["variant", "user_id", "item_id"], *scope)
    return set(found["item_id"].to_pylist())


def test_a_write_replaces_its_scope_and_leaves_the_others(lake: Lake | DeltaRsLake) -> None:
    assert lake.version("fused") == 3
    assert items(lake) == {"7", "é"}
    assert items(lake, None, REAL) == {"7"}
    assert items(lake, 3, SERVED) == {"é"}


def test_batches_are_the_rows_of_the_files(written: Config) -> None:
    lake, columns = DeltaRsLake(written.lake), ["variant", "user_id", "item_id"]
    for where in ((None,), (None, REAL), (3, SERVED), (1,)):
        version, *scope = where
        batches = list(lake.batches("fused", version, columns, *scope))
        keys = [(name, "ascending") for name in columns]
        found = pa.Table.from_batches(batches).sort_by(keys)
        assert found == lake.read("fused", version, columns, *scope).sort_by(keys)
    with pytest.raises(InputDataError, match="has no rows"):
        list(lake.batches("fused", None, columns, {"variant": "none"}))


def test_old_versions_stay_readable(lake: Lake | DeltaRsLake) -> None:
    assert items(lake, 1) == {"007"}
    assert items(lake, 2, REAL) == {"007"}


def test_the_history_tells_which_commit_wrote_a_result(lake: Lake | DeltaRsLake) -> None:
    history = lake.history("fused")
    assert [commit.version for commit in history] == [3, 2, 1, 0]
    assert [commit.rows for commit in history[:3]] == [1, 1, 1]
    found = {scope["variant"]: commit_of(history, scope) for scope in (REAL, SERVED)}
    assert {name: commit and commit.version for name, commit in found.items()} == {
        "real": 3,
        "real_served": 2,
    }
    assert [fingerprint_in(history, scope) for scope in (REAL, SERVED)] == ["c", "b"]
    assert len(lake.history("fused", limit=1)) == 1


def test_a_table_that_is_not_there_is_a_sentence(lake: Lake | DeltaRsLake) -> None:
    assert lake.version("scored") is None
    assert lake.history("scored") == []
    with pytest.raises(UserError, match=r"There is no table scored in .*; run stage discriminate"):
        lake.read("scored", None, ["user_id"]) if isinstance(lake, DeltaRsLake) else lake.read(
            "scored"
        )


def test_both_say_the_same_of_the_history(spark: SparkSession, written: Config) -> None:
    from llm_i2i_spark.lake.commits import read_commits

    lake = Lake(spark, written.lake)
    by_spark = read_commits(spark, lake.sql_name("fused"))
    without_jvm = lake.history("fused")
    # Spark takes a commit's time from its file, delta-rs from what the commit says.
    times = [commit.timestamp for commit in without_jvm]
    assert [
        replace(one, timestamp=at) for one, at in zip(by_spark, times, strict=True)
    ] == without_jvm
