"""Which raw rows are bad, why, and where they go: every one of them into `quarantine`, as JSON,
with its reason.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import DataType

from llm_i2i_spark.base.errors import ConfigError, InputDataError
from llm_i2i_spark.base.sections.ingest import IngestConfig
from llm_i2i_spark.ingest.readers import INTERNAL, LINE, MALFORMED, Source
from llm_i2i_spark.ingest.values import id_text, is_blank, is_simple, number_of, text_of, time_of

MAX_ID_BYTES = 1024
MALFORMED_LINE = "line is malformed"
REPEATED_ITEM = "item_id is repeated"
LONG_TITLE = "title is too long"
HARMLESS = (REPEATED_ITEM, LONG_TITLE)
"""Reasons that cost no item: one row of a repeated item stays, and an item outlives its title."""

Reason = tuple[Column, str]


def check_interactions(source: Source, config: IngestConfig) -> DataFrame:
    """The raw log in the contract's types, each row with the first reason that speaks against it.

    Args:
        source: the raw log.
        config: bounds of `ts`.

    Returns:
        user_id, item_id, event string; ts timestamp; pos bigint or double; weight double; reason
        string, null on good rows; raw string, the row as JSON, null on good rows. Without a raw
        column ts and pos are null, event `click`, weight 1.

    Raises:
        ConfigError: a bound is not a day.
        InputDataError: a column's type cannot hold what it should.
    """
    has = source.columns
    rows = source.frame.select(
        *_ids(source, "user_id"),
        *_ids(source, "item_id"),
        (_value(source, "ts", time_of) if "ts" in has else F.lit(None).cast("timestamp")).alias(
            "ts"
        ),
        (_value(source, "pos", number_of) if "pos" in has else F.lit(None).cast("bigint")).alias(
            "pos"
        ),
        F.coalesce(
            *([_value(source, "event", text_of)] if "event" in has else []), F.lit("click")
        ).alias("event"),
        (_weight(source) if "weight" in has else F.lit(1.0)).cast("double").alias("weight"),
        F.col(MALFORMED).isNotNull().alias("malformed"),
        _raw(source.frame).alias("raw"),
    )
    reasons = [(F.col("malformed"), MALFORMED_LINE), *_bad_id("user_id"), *_bad_id("item_id")]
    if "ts" in has:
        reasons.append((F.col("ts").isNull(), "ts is not a time"))
        reasons.append((_outside(config), f"ts is not within {config.min_ts} and {config.max_ts}"))
    if "pos" in has:
        reasons.append((F.col("pos").isNull(), "pos is not a number"))
    reasons.append(
        (F.col("weight").isNull() | (F.col("weight") <= 0), "weight is not a positive number")
    )
    names = ("user_id", "item_id", "ts", "pos", "event", "weight", "reason")
    judged = rows.withColumn("reason", _first_reason(reasons))
    return judged.select(*names, F.when(F.col("reason").isNotNull(), F.col("raw")).alias("raw"))


def check_items(source: Source, config: IngestConfig) -> DataFrame:
    """The raw catalogue in the contract's types, a row kept for each item, with the reason where a
    row is bad.

    A title over `max_title_chars` sends the row to quarantine, and the item stays without its
    title. Of several rows of one item that with the most of title, brand and category stays;
    between equals, the one whose JSON sorts first.

    Returns:
        item_id, title, brand, category string; extra map of the other simple columns as text;
        reason string, null on good rows; kept boolean, whether the row becomes an item; raw string,
        the row as JSON.

    Raises:
        InputDataError: a column's type cannot hold what it should.
    """
    parts = ("title", "brand", "category")
    nothing = F.lit(None).cast("string")
    rows = source.frame.select(
        *_ids(source, "item_id"),
        *(
            (_value(source, name, text_of) if name in source.columns else nothing).alias(name)
            for name in parts
        ),
        _extra(source).alias("extra"),
        F.col(MALFORMED).isNotNull().alias("malformed"),
        _raw(source.frame).alias("raw"),
    )
    lost = _first_reason([(F.col("malformed"), MALFORMED_LINE), *_bad_id("item_id")])
    long_title = F.char_length("title") > config.max_title_chars
    rows = rows.withColumn("lost", lost).withColumn("long", F.coalesce(long_title, F.lit(False)))
    rows = rows.withColumn("title", F.when(~F.col("long"), F.col("title")))
    filled = sum((F.col(name).isNotNull().cast("int") for name in parts), F.lit(0))
    # Bad rows have no item to compete for; each stands in a group of its own kind, never before a
    # good row.
    best_first = Window.partitionBy("item_id", F.col("lost").isNull()).orderBy(filled.desc(), "raw")
    rows = rows.withColumn("repeated", F.row_number().over(best_first) > 1)
    harmless = _first_reason([(F.col("long"), LONG_TITLE), (F.col("repeated"), REPEATED_ITEM)])
    kept = F.col("lost").isNull() & ~F.col("repeated")
    return rows.select(
        "item_id",
        *parts,
        "extra",
        F.coalesce("lost", harmless).alias("reason"),
        kept.alias("kept"),
        "raw",
    )


def quarantined(checked: DataFrame, table: str, run_id: str) -> DataFrame:
    """The bad rows of a checked table, as `quarantine` keeps them."""
    bad = checked.where(F.col("reason").isNotNull())
    return bad.select(
        F.lit(table).alias("table"),
        F.coalesce("raw", F.lit("{}")).alias("raw"),
        "reason",
        F.lit(run_id).alias("run_id"),
    )


def refuse_bad_input(
    counts: dict[str | None, int], table: str, path: str, max_share: float
) -> None:
    """Stop before anything is written where too many rows are bad, or none is good.

    Rows that cost nothing (a repeated item, an overlong title) do not count as bad here.

    Args:
        counts: rows by reason; None counts the good ones.
        max_share: of the bad among all rows.

    Raises:
        InputDataError: the share is exceeded, or the log has no good row.
    """
    bad = {
        reason: rows
        for reason, rows in counts.items()
        if reason is not None and reason not in HARMLESS
    }
    total = sum(counts.values())
    told = describe(bad)
    if sum(bad.values()) > max_share * total:
        raise InputDataError(
            f"{sum(bad.values()):,} of {total:,} rows of {path} are bad ({told}); mend them or"
            " their mapping in ingest.columns, or raise ingest.max_quarantine_share."
        )
    if table == "interactions" and total == sum(bad.values()):
        why = f"none of its {total:,} rows is good ({told})" if total else "it is empty"
        raise InputDataError(
            f"There is no interaction in {path}: {why}; name a log with rows in"
            " ingest.interactions."
        )


def describe(counts: dict[str, int]) -> str:
    """Rows by reason in words, most first."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{rows:,} {reason}" for reason, rows in ordered) or "none"


def _first_reason(reasons: list[Reason]) -> Column:
    return F.coalesce(*(F.when(condition, F.lit(reason)) for condition, reason in reasons))


def _bad_id(name: str) -> list[Reason]:
    text = F.col(name)
    return [
        (~F.col(f"{name}_given"), f"{name} is missing"),
        (text.isNull(), f"{name} is not a whole number"),
        (is_blank(text), f"{name} is blank"),
        (F.octet_length(text) > MAX_ID_BYTES, f"{name} is over {MAX_ID_BYTES} bytes"),
    ]


def _outside(config: IngestConfig) -> Column:
    micros = F.unix_micros("ts")
    return (micros < _day(config.min_ts, "min_ts")) | (micros >= _day(config.max_ts, "max_ts"))


def _day(text: str, key: str) -> int:
    """Microseconds since 1970 of a day, or a time, in UTC unless it names a zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"ingest.{key} must be a day such as 1995-01-01, and is {text!r}."
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return round(moment.timestamp()) * 1_000_000


def _value(source: Source, name: str, convert: Callable[[Column, DataType, str], Column]) -> Column:
    kinds = {field.name: field.dataType for field in source.frame.schema.fields}
    return F.coalesce(*(convert(_raw_column(raw), kinds[raw], raw) for raw in source.columns[name]))


def _ids(source: Source, name: str) -> tuple[Column, Column]:
    given = reduce(Column.__or__, (_raw_column(raw).isNotNull() for raw in source.columns[name]))
    return _value(source, name, id_text).alias(name), given.alias(f"{name}_given")


def _weight(source: Source) -> Column:
    """The weight: 1 where none is given, null where what is given is no number."""
    given = reduce(
        Column.__or__, (_raw_column(raw).isNotNull() for raw in source.columns["weight"])
    )
    return F.when(given, _value(source, "weight", number_of).cast("double")).otherwise(1.0)


def _extra(source: Source) -> Column:
    """The simple columns that the contract has no place for, as text by name, without nulls."""
    used = {raw for names in source.columns.values() for raw in names} | set(INTERNAL)
    rest = [
        field.name
        for field in source.frame.schema.fields
        if field.name not in used and is_simple(field.dataType)
    ]
    if not rest:
        return F.create_map().cast("map<string,string>")
    names = F.array(*(F.lit(name) for name in rest))
    pairs = F.map_from_arrays(names, F.array(*(_raw_column(name).cast("string") for name in rest)))
    return F.map_filter(pairs, lambda _, value: value.isNotNull())


def _raw(frame: DataFrame) -> Column:
    """The row as JSON: the line itself where the file is JSON lines; a line that cannot be parsed
    stands in `line`.
    """
    columns = [_raw_column(name) for name in frame.columns if name not in INTERNAL]
    row = (
        F.col(LINE)
        if LINE in frame.columns
        else F.to_json(F.struct(*columns), {"ignoreNullFields": "false"})
    )
    return F.when(
        F.col(MALFORMED).isNotNull(), F.to_json(F.struct(F.col(MALFORMED).alias("line")))
    ).otherwise(row)


def _raw_column(name: str) -> Column:
    return F.col("`" + name.replace("`", "``") + "`")
