"""A first look at a log and its catalogue: what they are taken for and why, what would be
quarantined, and the options that make it so. Reads a sample, writes nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.sections.ingest import IngestConfig
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.ingest.columns import ITEMS_ID_KEY
from llm_i2i_spark.ingest.formats.base import MALFORMED, quoted_name
from llm_i2i_spark.ingest.formats.headers import NoHeaderError
from llm_i2i_spark.ingest.plausibility import oddities, time_remark
from llm_i2i_spark.ingest.public import PUBLIC, narrow_folder
from llm_i2i_spark.ingest.quarantine import check_interactions, check_items, refuse_bad_input
from llm_i2i_spark.ingest.readers import (
    RawTable,
    Source,
    as_source,
    nanosecond_times,
    read_raw,
)
from llm_i2i_spark.ingest.values import id_text
from llm_i2i_spark.inspection.report import Inspection, TableReport
from llm_i2i_spark.lake.session import open_session, session_settings
from llm_i2i_spark.lake.spark_errors import explained

SAMPLE_ROWS = 10_000
_SHOWN_VALUES = 3
_SHOWN_CHARS = 40


def inspect_source(
    interactions: str | Path | None = None,
    items: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    config: Config | None = None,
) -> Inspection:
    """Look at the first rows of a click log and its catalogue.

    Args:
        interactions: path, pattern or table of the log; None for that of the configuration.
        items: the catalogue, likewise; None for none, or that of a public data set's folder.
        settings: options by dotted key, such as `{"ingest.header": "user_id,item_id"}`.
        config: a whole configuration, below the other arguments.

    Returns:
        What was found; printed, it is a page to read. A source that cannot be read is part of it.

    Raises:
        UserError: an option is unknown or does not fit, or no source is named.
    """
    given = {"ingest.interactions": interactions, "ingest.items": items}
    paths = {key: str(value) for key, value in given.items() if value is not None}
    config = load_config(base=config, overrides={**paths, **(settings or {})})
    ingest = _with_catalogue(config.ingest)
    log = Path(tempfile.gettempdir()) / "llm-i2i-spark.log"
    spark = open_session(config.spark.model_copy(update={"short_jobs": True}), log)
    with session_settings(spark), nanosecond_times(spark):
        looks = [_Look(spark, ingest, "interactions")]
        if ingest.items:
            looks.append(_Look(spark, ingest, "items"))
        try:
            reports = [look.report() for look in looks]
            joined = looks[0].joined_with(looks[1]) if len(looks) > 1 else None
        finally:
            for look in looks:
                look.close()
    return Inspection(tuple(reports), joined, _options(ingest, reports))


def _with_catalogue(ingest: IngestConfig) -> IngestConfig:
    """The catalogue in the same folder, where a public data set has both."""
    path = ingest.interactions
    if not path or ingest.items:
        return ingest
    stated = ingest.format.interactions
    items = narrow_folder(path, "items", stated if stated in PUBLIC else None)
    return ingest if items == path else ingest.model_copy(update={"items": items})


class _Look:
    """One table while it is looked at; its sample is computed once.

    Args:
        spark: the session.
        config: section `ingest`.
        table: `interactions` or `items`.
    """

    def __init__(self, spark: SparkSession, config: IngestConfig, table: str) -> None:
        self._spark, self._config, self._table = spark, config, table
        self._cached: list[DataFrame] = []
        self._checked: DataFrame | None = None
        self._source: Source | None = None

    def report(self) -> TableReport:
        """What there is to say about the table; a mistake is part of it."""
        path = str(getattr(self._config, self._table))
        empty = TableReport(self._table, path)
        try:
            raw = read_raw(self._spark, self._config, self._table, limit=SAMPLE_ROWS)
            with explained(path, f"ingest.{self._table}"):
                raw = replace(raw, frame=self._kept(raw.frame.limit(SAMPLE_ROWS)))
                found = replace(empty, facts=raw.facts, raw=_examples(raw), options=raw.options)
                return self._with_rows(found, raw)
        except NoHeaderError as error:
            columns = zip(
                *(row for row in error.rows if len(row) == len(error.header)), strict=True
            )
            raw_values = {
                name: tuple(dict.fromkeys(values))[:_SHOWN_VALUES]
                for name, values in zip(error.header, columns, strict=True)
            }
            proposal = {"header": ",".join(error.header)}
            return replace(empty, raw=raw_values, options=proposal, problem=str(error))
        except UserError as error:
            return replace(empty, problem=str(error))

    def _with_rows(self, found: TableReport, raw: RawTable) -> TableReport:
        config, table = self._config, self._table
        try:
            source = self._source = as_source(raw, config, table)
        except UserError as error:
            return replace(found, problem=str(error))
        check = check_interactions if table == "interactions" else check_items
        checked = self._checked = self._kept(check(source, config))
        counts = {
            row["reason"]: row["count"] for row in checked.groupBy("reason").count().collect()
        }
        good = checked.where("reason IS NULL")
        found = replace(
            found,
            columns={name: chosen.names for name, chosen in source.columns.items()},
            why={name: chosen.why for name, chosen in source.columns.items()},
            rows=sum(counts.values()),
            is_sample=raw.frame.count() >= SAMPLE_ROWS,
            reasons={reason: rows for reason, rows in counts.items() if reason is not None},
            counts=_counts(good, table),
            remarks=self._remarks(checked, source, sum(counts.values())),
        )
        try:
            refuse_bad_input(counts, table, raw.path, config.max_quarantine_share)
        except UserError as error:
            found = replace(found, problem=str(error))
        first = good.limit(1).collect()
        if first:
            row = first[0].asDict()
            shown = {name: _shown(row[name]) for name in row if name in source.columns}
            found = replace(found, example=shown)
        return replace(found, **_times(good)) if table == "interactions" else found

    def _remarks(self, checked: DataFrame, source: Source, rows: int) -> tuple[str, ...]:
        """What is odd about the rows of a log, as a run would say it."""
        if self._table != "interactions":
            return ()
        remarks = [time_remark(checked, source).removeprefix("; ")]
        try:
            remarks += oddities(source, checked.where("reason IS NULL"), rows, self._config)
        except UserError as error:
            remarks.append(str(error))
        return tuple(filter(None, remarks))

    def joined_with(self, catalogue: _Look) -> tuple[int, int] | None:
        """How many clicks of the sample have an item of the whole catalogue, and how many there
        are; None where either cannot be read.
        """
        source = catalogue._source
        if self._checked is None or source is None:
            return None
        raw = read_raw(self._spark, self._config, "items")
        kinds = {one.name: one.dataType for one in raw.frame.schema.fields}
        ids = F.coalesce(
            *(
                id_text(F.col(quoted_name(one)), kinds[one], one)
                for one in source.columns["item_id"].names
            )
        )
        with explained(raw.path, "ingest.items"):
            known = raw.frame.where(F.col(MALFORMED).isNull()).select(ids.alias("item_id"))
            clicks = self._checked.where("reason IS NULL").groupBy("item_id").count()
            both = clicks.join(known.distinct().withColumn("known", F.lit(1)), "item_id", "left")
            row = both.agg(F.sum(F.col("known") * F.col("count")), F.sum("count")).collect()[0]
        return int(row[0] or 0), int(row[1] or 0)

    def close(self) -> None:
        """Let go of the sample."""
        for frame in self._cached:
            frame.unpersist()

    def _kept(self, frame: DataFrame) -> DataFrame:
        self._cached.append(frame.cache())
        return frame


def _examples(raw: RawTable) -> dict[str, tuple[str, ...]]:
    rows = raw.frame.where(F.col(MALFORMED).isNull()).limit(_SHOWN_VALUES).collect()
    return {
        name: tuple(dict.fromkeys(_shown(row[name]) for row in rows if row[name] is not None))
        for name in raw.names
    }


def _counts(good: DataFrame, table: str) -> dict[str, int]:
    names = ("user_id", "item_id") if table == "interactions" else ("item_id", "title")
    row = good.agg(*(F.count_distinct(name).alias(name) for name in names)).collect()[0]
    return {name: int(row[name]) for name in names}


def _times(good: DataFrame) -> dict[str, Any]:
    micros = F.unix_micros("ts")
    row = good.agg(F.min(micros).alias("first"), F.max(micros).alias("last")).collect()[0]
    events = good.groupBy("event").count().orderBy(F.desc("count"), "event").limit(20).collect()
    times = [
        None
        if one is None
        else datetime.fromtimestamp(one / 1e6, timezone.utc).replace(tzinfo=None)
        for one in (row["first"], row["last"])
    ]
    return {
        "first": times[0] and times[0].isoformat(" "),
        "last": times[1] and times[1].isoformat(" "),
        "events": {one["event"]: int(one["count"]) for one in events},
    }


def _shown(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 3] + "..."


def _options(ingest: IngestConfig, reports: list[TableReport]) -> dict[str, str]:
    """What to type so that a run reads the sources as they were read here."""
    given = Config(ingest=ingest).settings("ingest")
    usual = Config().settings("ingest")
    options = {
        key: ",".join(value) if isinstance(value, (list, tuple)) else str(value)
        for key, value in given.items()
        if value != usual[key] and not isinstance(value, dict)
    }
    options |= {f"ingest.columns.{name}": raw for name, raw in ingest.columns.items()}
    for report in reports:
        for name, value in report.options.items():
            options[f"ingest.{name}.{report.table}"] = value
        if "data set" in {fact.what for fact in report.facts}:
            continue
        for name, names in report.columns.items():
            key = ITEMS_ID_KEY if (report.table, name) == ("items", "item_id") else name
            if names != (name,) and len(names) == 1:
                options[f"ingest.columns.{key}"] = names[0]
    return options
