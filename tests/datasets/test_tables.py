from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.datasets.tables import (
    synthetic_catalogue,
    synthetic_interactions,
    write_synthetic,
)


def test_too_few_items_are_refused(tmp_path: Path):
    with pytest.raises(UserError, match="at least 1 user and 120 items"):
        write_synthetic(tmp_path, n_users=10, n_items=20)


@pytest.mark.spark
def test_spark_makes_the_rows_of_the_parquet_pair_for_any_partitions(spark, tmp_path: Path):
    log, catalogue = write_synthetic(tmp_path / "made", n_users=300, n_items=150, seed=7)
    wanted = pq.read_table(log).to_pandas().sort_values(["user_id", "ts"], ignore_index=True)
    for partitions in (1, 7):
        made = synthetic_interactions(spark, 300, 150, 7, partitions).toPandas()
        made["ts"] = made["ts"].dt.tz_localize("UTC").astype(wanted["ts"].dtype)
        assert made.sort_values(["user_id", "ts"], ignore_index=True).equals(wanted)
    items = pq.read_table(catalogue).to_pandas().sort_values("item_id", ignore_index=True)
    made = (
        synthetic_catalogue(spark, 150, 7, 3).toPandas().sort_values("item_id", ignore_index=True)
    )
    assert made.fillna("").equals(items.fillna(""))
