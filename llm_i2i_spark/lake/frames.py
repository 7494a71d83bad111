"""DataFrames that a user hands in, of Spark or pandas, as Spark DataFrames with ids as text."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import IntegralType, StringType

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.base.sections.spark import SparkConfig
from llm_i2i_spark.lake.session import log_file, open_session
from llm_i2i_spark.lake.sources import as_spark

Frame = DataFrame | pd.DataFrame
"""A DataFrame of Spark or pandas."""


def spark_frame(frame: Frame) -> DataFrame:
    """The same rows as a Spark DataFrame, in the active session or else a new local one.

    Raises:
        InputDataError: it is neither a Spark nor a pandas DataFrame.
        MissingDependencyError: a session is needed and Spark cannot start.
    """
    if isinstance(frame, DataFrame):
        return frame
    if not isinstance(frame, pd.DataFrame):
        raise InputDataError(
            f"A Spark or pandas DataFrame is wanted here, and this is a {type(frame).__name__}."
        )
    spark = SparkSession.getActiveSession() or open_session(SparkConfig(), log_file(LakeConfig()))
    return as_spark(spark, frame)


def require_columns(frame: DataFrame, names: Sequence[str], title: str) -> None:
    """Make sure that a DataFrame has some columns.

    Args:
        names: the columns.
        title: what the DataFrame is, for the message, such as `the interactions`.

    Raises:
        InputDataError: one is missing.
    """
    missing = [name for name in names if name not in frame.columns]
    if missing:
        wanted, absent = ", ".join(names), ", ".join(missing)
        has = ", ".join(frame.columns) or "none"
        raise InputDataError(
            f"{title} need the columns {wanted} and lack {absent}; they have {has}."
        )


def text_ids(frame: DataFrame, names: Sequence[str]) -> DataFrame:
    """The same rows with some columns of ids as text: the integer 7 becomes `"7"`.

    Raises:
        InputDataError: a column holds neither text nor whole numbers, whose text would not be the
            id.
    """
    for name in names:
        kind = frame.schema[name].dataType
        if not isinstance(kind, (StringType, IntegralType)):
            raise InputDataError(
                f"Ids must be text or whole numbers, and column {name} is {kind.simpleString()};"
                " cast it first."
            )
    return frame.withColumns({name: F.col(name).cast("string") for name in names})
