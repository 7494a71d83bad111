"""The event log of an A/B test: read, and judged row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import (
    DataType,
    DateType,
    IntegralType,
    NumericType,
    StringType,
    TimestampNTZType,
    TimestampType,
)

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.lake.frames import Frame, require_columns, text_ids
from llm_i2i_spark.lake.row_files import explained_rows, read_row_file, require_row_file
from llm_i2i_spark.lake.sources import as_spark

REQUIRED = ("arm", "user_id", "item_id", "event")
OPTIONAL = ("request_id", "amount", "latency_ms", "ts")
EXPOSURE, CLICK, ORDER = "exposure", "click", "order"
EVENTS = {EXPOSURE: EXPOSURE, CLICK: CLICK, ORDER: ORDER, "impression": EXPOSURE, "purchase": ORDER}
"""What stands in the column `event`, in any case of letters, and what it counts as."""
UNREADABLE = "_corrupt_record"
"""Column that Spark adds where lines of JSON cannot be read."""


@dataclass(frozen=True)
class EventLog:
    """A log whose rows have been judged.

    Attributes:
        rows: `arm, user_id, event` (exposure, click or order), `amount` (0 but for orders),
            `latency_ms` (null but for exposures), `request_id`, `moment` (a number that grows with
            time; null without times), and `reason`, why a row does not count; null for good rows.
        has_amounts: whether the log has a column `amount`.
        has_latencies: whether it has a column `latency_ms`.
    """

    rows: DataFrame
    has_amounts: bool
    has_latencies: bool

    @property
    def good(self) -> DataFrame:
        """The rows that count."""
        return self.rows.where("reason IS NULL")


def require_event_file(path: str) -> None:
    """Make sure, before Spark starts, that there is an event log that it can read.

    Raises:
        InputDataError: nothing is there, it is empty, or Spark cannot read files of its name.
    """
    require_row_file(
        path, f"name a log with the columns {', '.join(REQUIRED)}", "write the log again"
    )


def read_event_log(spark: SparkSession, log: str | Path | Frame) -> EventLog:
    """Open an event log and judge its rows; nothing is read before an action asks for it.

    Args:
        spark: the session.
        log: a DataFrame of Spark or pandas, or a path or URI: Parquet, CSV with a header, JSON
            lines or a Delta folder. A row is an event: `arm`, `user_id`, `item_id`, `event`
            (exposure or impression, click, order or purchase), `amount` (of orders, 0 or more),
            and where there are any `request_id`, `latency_ms` (of exposures, milliseconds) and
            `ts` (a time, or a number that grows with it).

    Raises:
        InputDataError: it cannot be read, or lacks a column.
    """
    if isinstance(log, (str, Path)):
        require_event_file(str(log))
        with explained_rows("event log", str(log)):
            frame = read_row_file(spark, str(log))
    else:
        frame = as_spark(spark, log)
    require_columns(frame, REQUIRED, "The event log")
    return judged(frame)


def judged(frame: DataFrame) -> EventLog:
    """The rows of a log with the first reason for which each does not count.

    Raises:
        InputDataError: a column is of a type that cannot hold what it should.
    """
    kinds = {field.name: field.dataType for field in frame.schema.fields}
    ids = [name for name in ("arm", "user_id", "item_id", "request_id") if name in kinds]
    frame = text_ids(frame, ids)
    event = _event(F.col("event").cast("string"))
    amount, latency = (_number(name, kinds) for name in ("amount", "latency_ms"))
    moment = _moment(kinds["ts"]) if "ts" in kinds else F.lit(None).cast("double")
    is_order, is_exposure = event == ORDER, event == EXPOSURE
    bad: dict[str, Column] = {}
    if UNREADABLE in kinds:
        bad["not readable as JSON"] = F.col(UNREADABLE).isNotNull()
    for name in ("arm", "user_id", "item_id"):
        bad[f"no {name}"] = F.coalesce(F.trim(name) == "", F.lit(True))
    bad["event is none of exposure, click, order"] = event.isNull()
    if "amount" in kinds:
        bad["amount of an order is no number from 0"] = is_order & ~_from_zero(amount)
    if "latency_ms" in kinds:
        text = F.lower(F.trim(F.col("latency_ms").cast("string")))
        given = ~F.coalesce(text.isin("", "nan"), F.lit(True))
        bad["latency_ms is no number from 0"] = is_exposure & given & ~_from_zero(latency)
    if "ts" in kinds:
        bad["ts is no time"] = moment.isNull()
    rows = frame.select(
        F.trim("arm").alias("arm"),
        "user_id",
        event.alias("event"),
        F.when(is_order & F.lit("amount" in kinds), amount).otherwise(0.0).alias("amount"),
        F.when(is_exposure, latency).alias("latency_ms"),
        (F.col("request_id") if "request_id" in kinds else F.lit(None).cast("string")).alias(
            "request_id"
        ),
        moment.alias("moment"),
        _first_reason(bad).alias("reason"),
    )
    return EventLog(rows, "amount" in kinds, "latency_ms" in kinds)


def _first_reason(bad: Mapping[str, Column]) -> Column:
    return F.coalesce(*(F.when(test, F.lit(reason)) for reason, test in bad.items()))


def _event(text: Column) -> Column:
    known = F.create_map(*(F.lit(part) for pair in EVENTS.items() for part in pair))
    return F.try_element_at(known, F.lower(F.trim(text)))


def _number(name: str, kinds: Mapping[str, DataType]) -> Column:
    """A column as numbers, null where a value is none; null throughout where it is not there."""
    if name not in kinds:
        return F.lit(None).cast("double")
    if not isinstance(kinds[name], (NumericType, StringType)):
        raise InputDataError(
            f"Column {name} of the event log must hold numbers and is {kinds[name].simpleString()}."
        )
    number = F.col(name).try_cast("double")
    return F.when(~F.isnan(number), number)


def _from_zero(number: Column) -> Column:
    """Whether a number is one, finite, and not below 0."""
    return F.coalesce((number >= 0) & (number < float("inf")), F.lit(False))


def _moment(kind: DataType) -> Column:
    """A time as a number that grows with it; null where it is none.

    Text is read as a number, or else as ISO 8601: within one log the two must not be mixed.
    """
    ts = F.col("ts")
    if isinstance(kind, (TimestampType, TimestampNTZType, DateType)):
        return F.unix_micros(ts.cast("timestamp")).cast("double")
    if isinstance(kind, NumericType):
        number = ts.cast("double")
        return number if isinstance(kind, IntegralType) else F.when(~F.isnan(number), number)
    if isinstance(kind, StringType):
        moment = F.unix_micros(F.try_to_timestamp(ts)).cast("double")
        return F.coalesce(ts.try_cast("double"), moment)
    raise InputDataError(
        f"Column ts of the event log must hold times and is {kind.simpleString()}."
    )
