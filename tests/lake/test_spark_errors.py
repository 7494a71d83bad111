"""The reason of Spark's errors: what a person can act on, never the name of a call."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from delta.tables import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import InputDataError, StageError
from llm_i2i_spark.lake.capabilities import SPARK_ERRORS
from llm_i2i_spark.lake.spark_errors import explained, spark_reason

pytestmark = pytest.mark.spark


def _bad_rows(batches: Any) -> Any:
    for batch in batches:
        if batch.num_rows:
            raise ValueError("bad\nrow")
        yield batch


def _stage_error(batches: Any) -> Any:
    for batch in batches:
        if batch.num_rows:
            raise StageError("The scores are not numbers: run sft again.")
        yield batch


def _lost_file(spark: SparkSession, folder: Path) -> Any:
    spark.range(3).write.format("delta").save(str(folder / "lost"))
    for file in (folder / "lost").glob("*.parquet"):
        file.unlink()
    return spark.read.format("delta").load(str(folder / "lost")).collect()


def _colon(spark: SparkSession, folder: Path) -> Any:
    (folder / "clicks:2024.csv").write_text("user_id\nu\n")
    return spark.read.csv(str(folder / "clicks:2024.csv"), header=True).collect()


def _junk(spark: SparkSession, folder: Path) -> Any:
    (folder / "junk.parquet").write_bytes(b"hello" * 100)
    return spark.read.parquet(str(folder / "junk.parquet")).collect()


def _no_memory(batches: Any) -> Any:
    for batch in batches:
        if batch.num_rows:
            np.ones(1 << 50)
        yield batch


def _gpu_memory(batches: Any) -> Any:
    import torch

    for batch in batches:
        if batch.num_rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        yield batch


def _death(batches: Any) -> Any:
    for batch in batches:
        if batch.num_rows:
            os.abort()
        yield batch


FAILURES: dict[str, tuple[Callable[[SparkSession, Path], Any], str]] = {
    "a cast": (
        lambda spark, _: spark.range(1).select(F.lit("high").cast("double")).collect(),
        "The value 'high' of the type",
    ),
    "a Python worker": (
        lambda spark, _: spark.range(1).mapInArrow(_bad_rows, "id long").collect(),
        "ValueError: bad",
    ),
    "an error of this package": (
        lambda spark, _: spark.range(1).mapInArrow(_stage_error, "id long").collect(),
        "The scores are not numbers: run sft again",
    ),
    "a Python worker without memory": (
        lambda spark, _: spark.range(1).mapInArrow(_no_memory, "id long").collect(),
        "a Python worker had too little memory: give it",
    ),
    "a GPU without memory": (
        lambda spark, _: spark.range(1).mapInArrow(_gpu_memory, "id long").collect(),
        "set the stage's batch_tokens lower",
    ),
    "a Python worker that dies": (
        lambda spark, _: spark.range(1).mapInArrow(_death, "id long").collect(),
        "a Python worker died, mostly for want of memory: give it",
    ),
    "a Java task": (
        lambda spark, _: spark.range(1).select(F.expr("raise_error('no such thing')")).collect(),
        "no such thing",
    ),
    "a missing path": (
        lambda spark, folder: spark.read.parquet(str(folder / "nowhere")).count(),
        "PATH_NOT_FOUND",
    ),
    "a missing Delta table": (
        lambda spark, folder: DeltaTable.forPath(spark, str(folder)).history().collect(),
        "is not a Delta table",
    ),
    "a lost file": (_lost_file, "does not exist"),
    "no Parquet": (_junk, "is not a Parquet file"),
    "a colon": (_colon, "the name of a file holds a colon: rename it"),
    "the JVM itself": (
        lambda spark, _: spark.sparkContext._jvm.java.lang.Integer.parseInt("x"),
        'For input string: "x"',
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_the_reason_says_what_happened_in_one_line(
    spark: SparkSession, tmp_path: Path, name: str
) -> None:
    fail, words = FAILURES[name]
    with pytest.raises(SPARK_ERRORS) as caught:
        fail(spark, tmp_path)
    reason = spark_reason(caught.value)
    assert words in reason
    for noise in ("\n", "Py4J", "error occurred while calling", "SQLSTATE", "Caused by", "\tat "):
        assert noise not in reason
    assert len(reason) < 500
    assert not reason.endswith(".")


def test_a_session_that_has_ended_is_said_to_have(spark: SparkSession) -> None:
    assert "JVM has ended" in spark_reason(ConnectionRefusedError(111, "Connection refused"))


def test_an_unreadable_source_is_named_with_the_option_that_names_it(
    spark: SparkSession, tmp_path: Path
) -> None:
    with (
        pytest.raises(InputDataError, match=r"nothing at nowhere; ingest\.items must name"),
        explained("nowhere", "ingest.items"),
    ):
        spark.read.parquet(str(tmp_path / "nowhere"))
    with (
        pytest.raises(InputDataError, match=r"cannot read \(.*not a Parquet file.*\) junk; ingest"),
        explained("junk", "ingest.items"),
    ):
        _junk(spark, tmp_path)
