"""What is odd about a log whose rows are all well-formed: ids that number the rows, a user who
stands for many, an order that contradicts itself, a catalogue that does not know the items.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.base.sections.ingest import IngestConfig
from llm_i2i_spark.ingest.columns import ITEMS_ID_KEY, Chosen
from llm_i2i_spark.ingest.quarantine import NOT_A_TIME, OUTSIDE
from llm_i2i_spark.ingest.readers import Source
from llm_i2i_spark.ingest.time_patterns import fitting_patterns

NULL_WORDS = ("na", "n/a", "nan", "null", "none", "nil", "undefined", "unknown", "<na>", "\\n")
NULL_NUMBERS = ("0", "-1", "0.0", "-1.0")
DOMINANT_SHARE = 0.05
"""Rows of the log from which a number that often stands for nothing is worth a word."""

TELLING_ROWS = 20
"""Below, ids may differ by chance, and only a mapping that passed over ids is asked about."""

USELESS_ROWS = 1000
"""A log of so many rows in which no id occurs twice is refused, a smaller one is a question."""

_TIME_OF_DAY = re.compile(r"^\s*T?\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*([aApP]\.?[mM]\.?)?\s*$")
ID_COLUMNS = ("user_id", "item_id")
NAMED_EVENTS = 12
SAMPLED_TIMES = 20
LOW_JOIN_RATE = 0.5
EXAMINED_ROWS = 5_000_000

SPELLINGS: Mapping[str, str] = {
    "blanks around the ids": "trim({id})",
    "upper and lower case": "lower({id})",
    "ids written as floats (10.0 for 10)": r"regexp_replace({id}, r'^(-?[0-9]+)\.0+$', '$1')",
    "leading zeros (007 for 7)": "regexp_replace({id}, '^0+(?=.)', '')",
}
"""By what two spellings of an id can differ -> SQL that makes them equal."""


def oddities(log: Source, good: DataFrame, rows: int, config: IngestConfig) -> Iterator[str]:
    """Sentences on what is odd about the good rows, of which there are `rows`.

    Raises:
        InputDataError: nothing can be learnt from them.
    """
    yield from check_ids(good, rows, log.columns, log.path)
    if "event" in log.columns:
        yield from describe_events(count_events(good), config.event_weights)
    if {"ts", "pos"} <= set(log.columns):
        wrong, steps = count_contradictions(good, rows)
        if wrong:
            yield (
                f"pos falls in {wrong:,} of {steps:,} steps in which ts rises: ts orders the clicks"
                " and pos only those of one moment; ingest.columns.pos=none leaves pos alone,"
                " ingest.columns.ts=none goes by pos"
            )


def time_remark(rows: DataFrame, source: Source) -> str:
    """How the times of quarantined rows could be read."""
    about_time = F.col("reason").startswith(NOT_A_TIME) | F.col("reason").startswith(OUTSIDE)
    sample = rows.where(about_time).select("raw").limit(SAMPLED_TIMES).collect()
    return describe_times([row["raw"] for row in sample], source.columns)


def check_ids(good: DataFrame, rows: int, columns: Mapping[str, Chosen], path: str) -> list[str]:
    """Sentences on user and item ids that seem to be none.

    Args:
        good: `user_id, item_id` of the good rows.
        rows: how many there are.
        columns: where they come from.
        path: of the log.

    Raises:
        InputDataError: every row has an id of its own, so that nothing can be learnt.
    """
    measures: list[Column] = []
    for name in ID_COLUMNS:
        measures.append(F.approx_count_distinct(name).alias(f"{name}_about"))
        measures.append(F.count_if(_like_null(name)).alias(f"{name}_null"))
    measured = good.agg(*measures).first()
    assert measured is not None
    said = []
    for name in ID_COLUMNS:
        # The sketch is some percent off and costs no shuffle; the exact number counts.
        telling = rows >= TELLING_ROWS or (rows > 1 and columns[name].replaces_other)
        nearly = telling and measured[f"{name}_about"] > 0.8 * rows
        if nearly and good.select(name).distinct().count() == rows:
            said.append(_row_numbers(name, columns[name], rows, path))
        if measured[f"{name}_null"]:
            said += _null_like(good, name, rows, path)
    return said


def _row_numbers(name: str, chosen: Chosen, rows: int, path: str) -> str:
    """The sentence for a column in which every row has another id.

    Raises:
        InputDataError: the log is no use, or the column was named by hand.
    """
    other = "users" if name == "item_id" else "items"
    way_out = f"name the column of ids with --set ingest.columns.{name}=COLUMN"
    if name == "item_id" and chosen.why == "ingest.columns":
        way_out += (
            f" (a column of the catalogue alone with --set ingest.columns.{ITEMS_ID_KEY}=COLUMN)"
        )
    sentence = (
        f"every one of the {rows:,} rows of {path} has its own {name} (from"
        f" {'/'.join(chosen.names)}), so that no two {other} have one in common; if it numbers the"
        f" rows, {way_out}."
    )
    if chosen.replaces_other or rows >= USELESS_ROWS:
        raise InputDataError(sentence[0].upper() + sentence[1:])
    return "IDS THAT NUMBER THE ROWS? " + sentence


def _null_like(good: DataFrame, name: str, rows: int, path: str) -> list[str]:
    found = (
        good.where(_like_null(name))
        .groupBy(F.col(name).alias("id"))
        .agg(F.count("*").alias("rows"))
        .orderBy(F.desc("rows"), "id")
        .collect()
    )
    one = name.removesuffix("_id")
    return [
        f"{name} is {row['id']!r} in {row['rows']:,} of {rows:,} rows of {path}, which count as one"
        f" {one}: if it stands for none, leave these rows out"
        for row in found
        if row["id"].strip().lower() in NULL_WORDS
        or max(DOMINANT_SHARE * rows, 2) <= row["rows"] < rows
    ]


def _like_null(name: str) -> Column:
    return F.lower(F.trim(name)).isin(*NULL_WORDS, *NULL_NUMBERS)


def count_events(good: DataFrame) -> dict[str, int]:
    """The most frequent events with their number of rows."""
    counted = good.groupBy("event").agg(F.count("*").alias("rows"))
    most = counted.orderBy(F.desc("rows"), "event").limit(NAMED_EVENTS).collect()
    return {row["event"]: int(row["rows"]) for row in most}


def describe_events(events: Mapping[str, int], weights: Mapping[str, float]) -> Iterator[str]:
    """Sentences on events that have no weight, and on weights that have no event."""
    counted = ", ".join(f"{event} {rows:,}" for event, rows in events.items())
    if not weights and len(events) > 1:
        suggested = ", ".join(f"{event}: 1" for event in events)
        yield (
            f"the log has the events {counted}, which count alike; --set"
            f" 'ingest.event_weights={{{suggested}}}' with other numbers weighs them"
        )
    unknown = [event for event in events if event not in weights]
    if weights and unknown:
        yield f"{', '.join(unknown)}: not in ingest.event_weights, so each of them counts 1"
    absent = [event for event in weights if event not in events]
    if absent and len(events) < NAMED_EVENTS:
        yield f"ingest.event_weights has {', '.join(absent)}, and the log has {counted}"


def count_contradictions(good: DataFrame, rows: int) -> tuple[int, int]:
    """How often pos falls while ts rises, from one row of a user to the next, and how many such
    steps there are; in a sample of the users where the log is long.

    Args:
        good: `user_id, ts, pos`.
        rows: how many there are.
    """
    share = min(1.0, EXAMINED_ROWS / max(rows, 1))
    sampled = F.pmod(F.xxhash64("user_id"), F.lit(1000)) < round(1000 * share)
    in_time = Window.partitionBy("user_id").orderBy("ts", "pos")
    steps = good.where(sampled).select(
        (F.col("ts") > F.lag("ts").over(in_time)).alias("later"),
        (F.col("pos") < F.lag("pos").over(in_time)).alias("back"),
    )
    counted = steps.agg(
        F.count_if(F.col("later") & F.col("back")).alias("wrong"), F.count_if("later").alias("all")
    ).first()
    assert counted is not None
    return int(counted["wrong"]), int(counted["all"])


def describe_join(clicked: DataFrame, catalogue: DataFrame, path: str) -> Iterator[str]:
    """A sentence on a catalogue that knows few of the items of the log, with the likely cause;
    nothing where it knows most of them.

    Args:
        clicked: `item_id` of the log, each once.
        catalogue: `item_id`, each once.
        path: of the catalogue.
    """
    known = catalogue.select("item_id").withColumn("known", F.lit(True))
    joined = clicked.join(known, "item_id", "left")
    counted = joined.agg(F.count("*").alias("items"), F.count("known").alias("known")).first()
    assert counted is not None
    items, found = int(counted["items"]), int(counted["known"])
    if not items or found >= LOW_JOIN_RATE * items:
        return
    lost = joined.where(F.col("known").isNull()).select("item_id")
    causes = _causes(lost, catalogue)
    logged = [row["item_id"] for row in lost.orderBy("item_id").limit(2).collect()]
    listed = [row["item_id"] for row in catalogue.orderBy("item_id").limit(2).collect()]
    much = "NONE" if not found else f"only {found:,}"
    yield (
        f"{path} knows {much} of the {items:,} items of the log (the log has"
        f" {', '.join(map(repr, logged))}, the catalogue {', '.join(map(repr, listed))})"
        + (f"; they differ by {' or '.join(causes)}: write the ids alike" if causes else "")
    )


def _causes(lost: DataFrame, catalogue: DataFrame) -> list[str]:
    """The spellings by which items that the catalogue does not know would be known."""
    causes = []
    for cause, sql in SPELLINGS.items():
        spelled = F.expr(sql.format(id="item_id")).alias("spelled")
        both = lost.select(spelled).join(catalogue.select(spelled), "spelled", "left_semi")
        if not both.isEmpty():
            causes.append(cause)
    return causes


def describe_times(raw_rows: Sequence[str], columns: Mapping[str, Chosen]) -> str:
    """What is said beside times that cannot be read: the pattern that fits them, where one does.

    Args:
        raw_rows: some quarantined rows, as JSON.
        columns: where ts comes from.
    """
    rows: list[dict[str, Any]] = [json.loads(row) for row in raw_rows]
    values = [str(row[raw]) for row in rows for raw in columns["ts"].names if row.get(raw)]
    if not values:
        return ""
    if all(_TIME_OF_DAY.match(value) for value in values):
        return f"; {values[0]!r} is a time of day without its day"
    patterns = fitting_patterns(values)
    ways = " or ".join(f"--set 'ingest.ts_format={pattern}'" for pattern in patterns[:2])
    return f"; times such as {values[0]!r} are read with {ways}" if ways else ""
