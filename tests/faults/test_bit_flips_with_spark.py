"""Bit flips over tables that Spark writes: Spark's own readers and those without a JVM name the
file, or read what was written.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from llm_i2i_spark.base.contracts import FUSED
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.capabilities import SPARK_ERRORS
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lake.storage_errors import storage_error
from llm_i2i_spark.lake.tables import Lake
from tests.faults.flips import Target
from tests.stage_runs import put_rows

pytestmark = pytest.mark.faults("F11", end="error")
VARIANTS = ("real", "llm_i2i")


@pytest.mark.parametrize("reader", ["Spark", "delta-rs"])
def test_a_table_of_spark(
    spark: SparkSession,
    flip: Callable[[Target, int], None],
    tmp_path: Path,
    reader: str,
) -> None:
    root = tmp_path / "lake"
    config = load_config([], [f"lake.root={root}"])
    for number, variant in enumerate((*VARIANTS, "real")):
        rows = [
            (variant, f"u{user}", f"i{user % 7}", (user + 1) / 100, "real", None, None, number)
            for user in range(90)
        ]
        put_rows(Lake(spark, config.lake), config, "fused", rows, fingerprint=f"f{number}")
    copies = iter(range(10_000))

    def read() -> Any:
        # Spark keeps what it knows of a table by its path.
        copy = tmp_path / str(next(copies)) / "fused"
        shutil.copytree(root / "fused", copy, copy_function=shutil.copy2)
        place = load_config([], [f"lake.root={copy.parent}"]).lake
        try:
            return _rows(Lake(spark, place) if reader == "Spark" else DeltaRsLake(place))
        finally:
            shutil.rmtree(copy.parent)

    files = r"\.?(part-.*|\d{20}\.json)(\.crc)?"
    name = f"table of Spark, read by {reader}"
    flip(Target(name, root / "fused", read, files), 60 if reader == "Spark" else 90)


def _rows(lake: Lake | DeltaRsLake) -> Any:
    records = [commit.record for commit in lake.history("fused")]
    if isinstance(lake, DeltaRsLake):
        parts = [lake.read("fused", 3, FUSED.names, {"variant": one}) for one in VARIANTS]
        return records, [sorted(map(repr, part.to_pylist())) for part in parts]
    try:
        frames = [lake.read("fused", 3, {"variant": one}) for one in VARIANTS]
        return records, [sorted(repr(row) for row in frame.collect()) for frame in frames]
    except SPARK_ERRORS as error:
        raise storage_error(error) or error from error
