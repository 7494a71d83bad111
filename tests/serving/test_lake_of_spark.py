"""An index in a lake that Spark writes: scopes side by side, the run behind them, deleted rows."""

from __future__ import annotations

import pytest

from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.tables import Lake
from llm_i2i_spark.serving.lookup import Lookup
from tests.serving.indexes import table_rows
from tests.stage_runs import put_rows

pytestmark = pytest.mark.spark


def rows(neighbor, variant):
    lists = {item: [(neighbor, 1.0, 0.0)] for item in ("a", "b", "c")}
    return [
        (
            row["variant"],
            row["backbone"],
            row["item_id"],
            [
                tuple(entry[name] for name in ("item_id", "score", "rank", "synthetic_share"))
                for entry in row["neighbors"]
            ],
        )
        for row in table_rows(lists, variant)
    ]


def put(lake, config, neighbor, variant, run_id):
    return put_rows(lake, config, "item_index", rows(neighbor, variant), run_id=run_id)


def test_an_index_keeps_its_run_and_its_arrays_while_others_are_written(spark, tmp_path):
    config = load_config([], [f"lake.root={tmp_path}"])
    lake = Lake(spark, config.lake)
    put(lake, config, "x", "real", "first")
    put(lake, config, "y", "llm_i2i", "second")
    assert Lookup.open(tmp_path).neighbors("a")[0]["item_id"] == "y"
    real = Lookup.open(tmp_path, "real")
    assert real.neighbors("a")[0]["item_id"] == "x"
    assert real.origin.run_id == "first"
    kept = {path.name for path in (tmp_path / "_serving").iterdir()}
    latest = put(lake, config, "z", "llm_i2i", "third")
    again = Lookup.open(tmp_path, "real")
    assert (again.origin.run_id, again.neighbors("a")) == ("first", real.neighbors("a"))
    assert {path.name for path in (tmp_path / "_serving").iterdir()} == kept
    newest = Lookup.open(tmp_path)
    assert (newest.origin.run_id, newest.origin.version) == ("third", latest)
    assert newest.neighbors("a")[0]["item_id"] == "z"


def test_rows_that_a_deletion_vector_hides_are_not_read(spark, tmp_path):
    config = load_config([], [f"lake.root={tmp_path}"])
    lake = Lake(spark, config.lake)
    put(lake, config, "x", "real", "run")
    path = lake.path("item_index")
    spark.sql(
        f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')"
    )
    spark.sql(f"DELETE FROM delta.`{path}` WHERE item_id = 'b'")
    detail = spark.sql(f"DESCRIBE HISTORY delta.`{path}` LIMIT 1").first()["operationMetrics"]
    assert detail["numDeletionVectorsAdded"] == "1"
    lookup = Lookup.open(tmp_path)
    assert [len(lookup.neighbors(item)) for item in "abc"] == [1, 0, 1]
