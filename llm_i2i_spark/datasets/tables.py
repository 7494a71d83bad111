"""The synthetic data set as tables: two Parquet files on this machine, or Spark frames of any size.
Both hold the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.files import open_atomically
from llm_i2i_spark.datasets.counter_random import Int64Array
from llm_i2i_spark.datasets.synthetic import (
    CATALOGUE_SCHEMA,
    INTERACTION_SCHEMA,
    SyntheticDataset,
)
from llm_i2i_spark.datasets.vocabulary import DEPARTMENTS, PRODUCTS_PER_SERIES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

BATCH_SIZE = 10_000
"""Users, or items, whose rows are made at once."""
INTERACTION_DDL = "user_id string, item_id string, ts timestamp"
CATALOGUE_DDL = "item_id string, title string, brand string, category string"

Maker = Callable[[Int64Array], pa.RecordBatch]


def write_synthetic(
    folder: str | Path, n_users: int = 2_000, n_items: int = 2_000, seed: int = 42
) -> tuple[Path, Path]:
    """Write `interactions.parquet` and `items.parquet` into a folder.

    Args:
        folder: is made where it is missing; files of these names are replaced.
        n_users: at least 1.
        n_items: at least 120, one series of six products in each department.
        seed: of every random number.

    Returns:
        The two paths, interactions first.

    Raises:
        ConfigError: there would be too few users or items.
    """
    dataset = _dataset(n_users, n_items, seed)
    paths = Path(folder) / "interactions.parquet", Path(folder) / "items.parquet"
    _write(paths[0], INTERACTION_SCHEMA, n_users, dataset.interactions)
    _write(paths[1], CATALOGUE_SCHEMA, n_items, dataset.catalogue)
    return paths


def synthetic_interactions(
    spark: SparkSession, n_users: int, n_items: int, seed: int, partitions: int | None = None
) -> DataFrame:
    """The click log (user_id, item_id, ts) as a Spark frame, about 9.4 rows a user, made where the
    tasks run.

    Args:
        spark: the session.
        n_users: at least 1.
        n_items: at least 120, one series of six products in each department.
        seed: of every random number.
        partitions: tasks; None for Spark's default. The rows do not depend on it.

    Raises:
        ConfigError: there would be too few users or items.
    """
    dataset = _dataset(n_users, n_items, seed)
    return _frame(spark, n_users, partitions, dataset.interactions, INTERACTION_DDL)


def synthetic_catalogue(
    spark: SparkSession, n_items: int, seed: int, partitions: int | None = None
) -> DataFrame:
    """The catalogue (item_id, title, brand, category) as a Spark frame.

    Args:
        spark: the session.
        n_items: at least 120, one series of six products in each department.
        seed: of every random number.
        partitions: tasks; None for Spark's default. The rows do not depend on it.

    Raises:
        ConfigError: there would be too few items.
    """
    dataset = _dataset(1, n_items, seed)
    return _frame(spark, n_items, partitions, dataset.catalogue, CATALOGUE_DDL)


def _write(path: Path, schema: pa.Schema, total: int, make: Maker) -> None:
    with (
        open_atomically(path) as file,
        pq.ParquetWriter(file, schema, write_page_checksum=True) as writer,
    ):
        for start in range(0, total, BATCH_SIZE):
            writer.write_batch(make(np.arange(start, min(start + BATCH_SIZE, total))))


def _frame(
    spark: SparkSession, total: int, partitions: int | None, make: Maker, ddl: str
) -> DataFrame:
    def rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if batch.num_rows:
                yield make(batch.column(0).to_numpy())

    return spark.range(0, total, 1, partitions).mapInArrow(rows, ddl)


def _dataset(n_users: int, n_items: int, seed: int) -> SyntheticDataset:
    least = PRODUCTS_PER_SERIES * len(DEPARTMENTS)
    if n_users < 1 or n_items < least:
        raise ConfigError(
            f"The synthetic data set wants at least 1 user and {least} items, and was asked for"
            f" {n_users} and {n_items}."
        )
    return SyntheticDataset(n_items, seed)
