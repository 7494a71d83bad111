"""Which raw rows are bad and why. Every bad row goes to the table `quarantine`, as JSON with its
reason.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import DataType

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.base.sections.ingest import IngestConfig
from llm_i2i_spark.ingest.formats.base import INTERNAL, LINE, MALFORMED, REASON
from llm_i2i_spark.ingest.readers import Source
from llm_i2i_spark.ingest.times import day_bound, time_format, time_of
from llm_i2i_spark.ingest.values import (
    has_lone_surrogate,
    id_text,
    is_blank,
    is_garbled,
    is_json,
    is_simple,
    number_of,
    text_of,
)

MAX_ID_BYTES = 1024
MALFORMED_LINE = "line is malformed"
NOT_A_TIME = "ts is not a time"
OUTSIDE = "ts is not within"
REPEATED_ITEM = "item_id is repeated"
LONG_TITLE = "title is too long"
HARMLESS = (REPEATED_ITEM, LONG_TITLE)
"""Reasons by which no item is lost: of a repeated item one row stays, and an item whose title is
too long stays without the title.
"""

Reason = tuple[Column, str | Column]


def check_interactions(source: Source, config: IngestConfig) -> DataFrame:
    """The raw log in the contract's types, each row with the first reason to quarantine it.

    Args:
        source: the raw log.
        config: how times are written, bounds of `ts`, whether weights are used.

    Returns:
        user_id, item_id, event string; ts timestamp; pos bigint or double; weight double; reason
        string, null on good rows; raw string, the row as JSON, null on good rows. Without a raw
        column ts and pos are null, event `click`; weight is 1 without one, or where weights are
        ignored.

    Raises:
        ConfigError: a bound is not a day, or `ingest.ts_format` not a pattern.
        InputDataError: a column's type cannot hold what it should.
    """
    columns = source.columns
    read_time = partial(time_of, written=time_format(config, source.frame.sparkSession))
    weighted = config.weight == "use" and "weight" in columns
    rows = source.frame.select(
        *_ids(source, "user_id"),
        *_ids(source, "item_id"),
        (
            _value(source, "ts", read_time) if "ts" in columns else F.lit(None).cast("timestamp")
        ).alias("ts"),
        (
            _value(source, "pos", number_of) if "pos" in columns else F.lit(None).cast("bigint")
        ).alias("pos"),
        F.coalesce(
            *([_value(source, "event", text_of)] if "event" in columns else []), F.lit("click")
        ).alias("event"),
        (_weight(source) if weighted else F.lit(1.0)).cast("double").alias("weight"),
        _malformed(source.frame).alias("malformed"),
        _raw(source.frame).alias("raw"),
    )
    reasons = [_if_malformed(), *_bad_id("user_id"), *_bad_id("item_id")]
    if "ts" in columns:
        reasons.append((F.col("ts").isNull(), NOT_A_TIME))
        reasons.append((_outside(config), f"{OUTSIDE} {config.min_ts} and {config.max_ts}"))
    if "pos" in columns:
        reasons.append((F.col("pos").isNull(), "pos is not a number"))
    if weighted:
        positive = F.coalesce(F.col("weight") > 0, F.lit(False))
        reasons.append((~positive, "weight is not a positive number"))
    names = ("user_id", "item_id", "ts", "pos", "event", "weight", "reason")
    checked = rows.withColumn("reason", _first_reason(reasons))
    return checked.select(*names, F.when(F.col("reason").isNotNull(), F.col("raw")).alias("raw"))


def check_items(source: Source, config: IngestConfig) -> DataFrame:
    """The raw catalogue in the contract's types, one row kept for each item, with the reason where
    a row is bad.

    A row whose title is longer than `max_title_chars` goes to quarantine, and its item stays
    without the title. Of several rows of one item, the one with most of title, brand and category
    stays; between equals, the one whose JSON sorts first.

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
        _malformed(source.frame).alias("malformed"),
        _raw(source.frame).alias("raw"),
    )
    fatal = _first_reason([_if_malformed(), *_bad_id("item_id")])
    long_title = F.char_length("title") > config.max_title_chars
    rows = rows.withColumn("fatal", fatal).withColumn(
        "long_title", F.coalesce(long_title, F.lit(False))
    )
    rows = rows.withColumn("title", F.when(~F.col("long_title"), F.col("title")))
    filled = sum((F.col(name).isNotNull().cast("int") for name in parts), F.lit(0))
    # Rows that make no item are ranked apart, so that none of them takes the place of a good row.
    best_first = Window.partitionBy("item_id", F.col("fatal").isNull()).orderBy(
        filled.desc(), "raw"
    )
    rows = rows.withColumn("repeated", F.row_number().over(best_first) > 1)
    harmless = _first_reason(
        [(F.col("long_title"), LONG_TITLE), (F.col("repeated"), REPEATED_ITEM)]
    )
    kept = F.col("fatal").isNull() & ~F.col("repeated")
    return rows.select(
        "item_id",
        *parts,
        "extra",
        F.coalesce("fatal", harmless).alias("reason"),
        kept.alias("kept"),
        "raw",
    )


def quarantined(checked: DataFrame, table: str, run_id: str) -> DataFrame:
    """The bad rows of a checked table, with the columns of the table `quarantine`."""
    bad = checked.where(F.col("reason").isNotNull())
    return bad.select(
        F.lit(table).alias("table"),
        F.coalesce("raw", F.lit("{}")).alias("raw"),
        "reason",
        F.lit(run_id).alias("run_id"),
    )


def refuse_bad_input(
    counts: dict[str | None, int], table: str, path: str, max_share: float, remark: str = ""
) -> None:
    """Stop before anything is written where too many rows are bad, or none is good.

    Rows by which no item is lost (a repeated item, a title that is too long) do not count as bad.

    Args:
        counts: number of rows by reason; None stands for the good ones.
        table: `interactions` or `items`.
        path: of the raw table, for messages.
        max_share: highest share of bad rows among all.
        remark: what may help, after the reasons.

    Raises:
        InputDataError: the share is exceeded, or the log has no good row.
    """
    bad = {
        reason: rows
        for reason, rows in counts.items()
        if reason is not None and reason not in HARMLESS
    }
    total = sum(counts.values())
    described = describe(bad) + remark
    if sum(bad.values()) > max_share * total:
        raise InputDataError(
            f"{sum(bad.values()):,} of {total:,} rows of {path} are bad ({described}); mend them or"
            " their mapping in ingest.columns, or raise ingest.max_quarantine_share."
        )
    if table == "interactions" and total == sum(bad.values()):
        why = f"none of its {total:,} rows is good ({described})" if total else "it is empty"
        raise InputDataError(
            f"There is no interaction in {path}: {why}; name a log with rows in"
            " ingest.interactions."
        )


def describe(counts: dict[str, int]) -> str:
    """Number of rows by reason as text, most frequent first."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{rows:,} {reason}" for reason, rows in ordered) or "none"


def _first_reason(reasons: list[Reason]) -> Column:
    return F.coalesce(*(F.when(condition, reason) for condition, reason in reasons))


def _malformed(frame: DataFrame) -> Column:
    """Why a row could not be parsed; null on good rows."""
    reason = F.col(REASON) if REASON in frame.columns else F.lit(None)
    return F.when(F.col(MALFORMED).isNotNull(), F.coalesce(reason, F.lit(MALFORMED_LINE)))


def _if_malformed() -> Reason:
    return F.col("malformed").isNotNull(), F.col("malformed")


def _bad_id(name: str) -> list[Reason]:
    text = F.col(name)
    return [
        (~F.col(f"{name}_given"), f"{name} is missing"),
        (text.isNull(), f"{name} is not a whole number"),
        (is_blank(text), f"{name} is blank"),
        (is_garbled(text), f"{name} is not valid UTF-8"),
        (F.col(f"{name}_halved"), f"{name} has half a surrogate pair"),
        (is_json(text), f"{name} is JSON, not an id"),
        (F.octet_length(text) > MAX_ID_BYTES, f"{name} is over {MAX_ID_BYTES} bytes"),
    ]


def _outside(config: IngestConfig) -> Column:
    micros = F.unix_micros("ts")
    earliest, latest = day_bound(config.min_ts, "min_ts"), day_bound(config.max_ts, "max_ts")
    return (micros < earliest) | (micros >= latest)


def _value(source: Source, name: str, convert: Callable[[Column, DataType, str], Column]) -> Column:
    kinds = {field.name: field.dataType for field in source.frame.schema.fields}
    return F.coalesce(
        *(convert(_raw_column(raw), kinds[raw], raw) for raw in source.columns[name].names)
    )


def _ids(source: Source, name: str) -> tuple[Column, Column, Column]:
    """The id, whether there was one, and whether it lost half a character on its way."""
    text = _value(source, name, id_text)
    line = F.col(LINE) if LINE in source.frame.columns else F.lit(None).cast("string")
    return (
        text.alias(name),
        _given(source, name).alias(f"{name}_given"),
        has_lone_surrogate(text, line).alias(f"{name}_halved"),
    )


def _given(source: Source, name: str) -> Column:
    raw = (_raw_column(raw).isNotNull() for raw in source.columns[name].names)
    return reduce(Column.__or__, raw)


def _weight(source: Source) -> Column:
    """The weight: 1 where the raw column is null, null where it holds no number."""
    number = _value(source, "weight", number_of).cast("double")
    return F.when(_given(source, "weight"), number).otherwise(1.0)


def _extra(source: Source) -> Column:
    """The remaining columns of simple types, as text by name, nulls left out."""
    used = {raw for chosen in source.columns.values() for raw in chosen.names} | set(INTERNAL)
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
    """The row as JSON: the line itself where the file is JSON lines; `{"line": ...}` for a line
    that cannot be parsed.
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
