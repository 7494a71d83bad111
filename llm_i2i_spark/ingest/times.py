"""From what raw tables hold as times to timestamps, as Spark column expressions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

from pyspark.errors import PySparkException
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import (
    DataType,
    DateType,
    DoubleType,
    FloatType,
    NumericType,
    StringType,
    TimestampNTZType,
    TimestampType,
)

from llm_i2i_spark.base.errors import ConfigError, InputDataError
from llm_i2i_spark.base.sections.ingest import IngestConfig
from llm_i2i_spark.ingest.time_patterns import WEEKDAY, TimePattern, read_pattern

_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
# Of text without a date Spark would make a moment of the day on which it is read.
_STARTS_WITH_DATE = r"^\s*[+-]?\d{4,6}-\d"
_DAY = "yyyyMMdd"
_FIRST_DAY, _LAST_DAY = 19_000_101, 20_991_231


@dataclass(frozen=True)
class TimeFormat:
    """How the times of a log are written.

    Attributes:
        pattern: of `ingest.ts_format`; None: numbers since 1970, days as 20240131, ISO 8601.
        days: whether a number such as 20240131 is a day; else it is one of seconds.
    """

    pattern: TimePattern | None = None
    days: bool = True


def time_format(config: IngestConfig, spark: SparkSession) -> TimeFormat:
    """How the options say that times are written.

    Numbers such as 20240131 are days unless `ingest.min_ts` allows for times of 1970, where counts
    of seconds reach them: a log whose clock starts at 0 keeps one unit throughout.

    Raises:
        ConfigError: `ingest.ts_format` is not a pattern, or `ingest.min_ts` not a day.
    """
    pattern = read_pattern(config.ts_format) if config.ts_format else None
    if pattern is not None:
        probe = F.try_to_timestamp(F.lit("1"), F.lit(pattern.pattern))
        try:
            spark.range(1).select(probe).collect()
        except PySparkException as error:
            raise ConfigError(
                f"ingest.ts_format={config.ts_format!r} is not a pattern of Spark's"
                f" ({str(error).splitlines()[0][:200]}); write it such as M/d/yyyy h:mm:ss a."
            ) from None
    return TimeFormat(pattern, days=day_bound(config.min_ts, "min_ts") > _LAST_DAY * 1_000_000)


def day_bound(text: str, key: str) -> int:
    """Microseconds since 1970 of a day or a time, in UTC unless it names a time zone.

    Raises:
        ConfigError: the option is neither.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"ingest.{key} must be a day such as 1995-01-01, and is {text!r}."
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return round(moment.timestamp()) * 1_000_000


def time_of(
    column: Column, kind: DataType, name: str, written: TimeFormat = TimeFormat()
) -> Column:
    """A timestamp from a time type, a number since 1970, a day as 20240131, or text (a number, or
    ISO 8601 with its date); null where the value is not a time. With a pattern, numbers and text
    are read by it alone.

    Numbers are seconds below 10^11 in magnitude, milliseconds below 10^14, microseconds below
    10^17, else nanoseconds: each unit then covers the years 1973 to 5138. Text and dates without a
    zone are in the session's zone, UTC in our own sessions.

    Raises:
        InputDataError: the column's type cannot hold times.
    """
    if isinstance(kind, (TimestampType, TimestampNTZType, DateType)):
        return column.cast("timestamp")
    if not isinstance(kind, (NumericType, StringType)):
        raise InputDataError(
            f"Times must be timestamps, dates, numbers or text, and column {name} is"
            f" {kind.simpleString()}; map another as ts, or none."
        )
    if written.pattern is not None:
        return _by_pattern(_digits(column, kind), written.pattern)
    if isinstance(kind, NumericType):
        return _of_number(column.cast("double"), days=written.days)
    number = _of_number(column.try_cast("double"), days=written.days)
    date = F.when(column.rlike(_STARTS_WITH_DATE), column.try_cast("timestamp"))
    return F.when(column.rlike(_NUMBER), number).otherwise(date)


def _digits(column: Column, kind: DataType) -> Column:
    """The value as text, floats without the exponent."""
    if isinstance(kind, (FloatType, DoubleType)):
        return column.try_cast("bigint").cast("string")
    return column.cast("string")


def _by_pattern(text: Column, pattern: TimePattern) -> Column:
    if pattern.has_weekday:
        text = F.regexp_replace(text, WEEKDAY, "")
    single_blanks = F.trim(F.regexp_replace(text, r"\s+", " "))
    return F.try_to_timestamp(single_blanks, F.lit(pattern.pattern))


def _of_number(number: Column, *, days: bool) -> Column:
    moment = _since_1970(number)
    if not days:
        return moment
    day = F.try_to_timestamp(number.try_cast("bigint").cast("string"), F.lit(_DAY))
    is_day = number.between(_FIRST_DAY, _LAST_DAY) & (number == F.floor(number))
    return F.coalesce(F.when(is_day, day), moment)


def _since_1970(number: Column) -> Column:
    size = F.abs(number)
    micros = (
        F.when(size < 1e11, number * 1e6)
        .when(size < 1e14, number * 1e3)
        .when(size < 1e17, number)
        .when(size < 1e19, number / 1e3)
    )
    return F.timestamp_micros(F.round(micros).try_cast("bigint"))
