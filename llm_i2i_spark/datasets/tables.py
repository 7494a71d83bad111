"""The synthetic shop as tables: a Parquet pair on this machine, or Spark frames of any size. Both
hold the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.datasets.synthetic_shop import (
    CLICK_SCHEMA,
    ITEM_SCHEMA,
    Ints,
    Shop,
    shop_clicks,
    shop_items,
)
from llm_i2i_spark.datasets.vocabulary import DEPARTMENTS, STEPS

CHUNK = 10_000
CLICK_DDL = "user_id string, item_id string, ts timestamp"
ITEM_DDL = "item_id string, title string, brand string, category string"


def write_shop(
    folder: str | Path, users: int = 2_000, items: int = 2_000, seed: int = 42
) -> tuple[Path, Path]:
    """Write `interactions.parquet` and `items.parquet` into a folder.

    Args:
        folder: is made where it is missing; files of these names are replaced.
        users: at least 1.
        items: at least 120, a series of six in each department.
        seed: of every draw.

    Returns:
        The two paths, interactions first.

    Raises:
        ConfigError: the shop would be too small.
    """
    shop = _shop(users, items, seed)
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    paths = place / "interactions.parquet", place / "items.parquet"
    for path, schema, total, rows in (
        (paths[0], CLICK_SCHEMA, users, shop_clicks),
        (paths[1], ITEM_SCHEMA, items, shop_items),
    ):
        with pq.ParquetWriter(path, schema) as writer:
            for start in range(0, total, CHUNK):
                writer.write_batch(rows(shop, np.arange(start, min(start + CHUNK, total))))
    return paths


def shop_interactions(
    spark: SparkSession, users: int, items: int, seed: int, partitions: int | None = None
) -> DataFrame:
    """The click log (user_id, item_id, ts) as a Spark frame, about 9.4 rows a user, made where the
    tasks run.

    Args:
        partitions: tasks; None for Spark's default. The rows do not depend on it.

    Raises:
        ConfigError: the shop would be too small.
    """
    return _frame(spark, users, partitions, _shop(users, items, seed), shop_clicks, CLICK_DDL)


def shop_catalogue(
    spark: SparkSession, items: int, seed: int, partitions: int | None = None
) -> DataFrame:
    """The catalogue (item_id, title, brand, category) as a Spark frame.

    Raises:
        ConfigError: the shop would be too small.
    """
    return _frame(spark, items, partitions, _shop(1, items, seed), shop_items, ITEM_DDL)


def _frame(
    spark: SparkSession,
    total: int,
    partitions: int | None,
    shop: Shop,
    rows: Callable[[Shop, Ints], pa.RecordBatch],
    ddl: str,
) -> DataFrame:
    def make(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if batch.num_rows:
                yield rows(shop, batch.column(0).to_numpy())

    return spark.range(0, total, 1, partitions).mapInArrow(make, ddl)


def _shop(users: int, items: int, seed: int) -> Shop:
    least = STEPS * len(DEPARTMENTS)
    if users < 1 or items < least:
        raise ConfigError(
            f"The synthetic shop wants at least 1 user and {least} items, and was asked for {users}"
            f" and {items}."
        )
    return Shop(items, seed)
