"""Read the raw log and catalogue, quarantine what is bad, write interactions, items and their
statistics.
"""

from __future__ import annotations

from collections import Counter

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.sections.ingest import IngestConfig
from llm_i2i_spark.base.sections.split import SplitConfig
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.cost.log_size import LOG_SIZE
from llm_i2i_spark.ingest.event_weights import EVENT_WEIGHT, with_event_weights
from llm_i2i_spark.ingest.formats.base import INTERNAL
from llm_i2i_spark.ingest.log_counts import LogCounts, count_log
from llm_i2i_spark.ingest.plausibility import describe_join, oddities, time_remark
from llm_i2i_spark.ingest.quarantine import (
    check_interactions,
    check_items,
    describe,
    quarantined,
    refuse_bad_input,
)
from llm_i2i_spark.ingest.readers import Source, nanosecond_times, read_source
from llm_i2i_spark.ingest.sessions import split_sessions
from llm_i2i_spark.ingest.source_versions import (
    SourceVersion,
    changed_while_read,
    require_unchanged,
)
from llm_i2i_spark.ingest.transform import build_items
from llm_i2i_spark.lake.forgotten import ForgottenUsers
from llm_i2i_spark.lake.item_statistics import item_statistics
from llm_i2i_spark.lake.sources import rows_digest
from llm_i2i_spark.lake.spark_errors import explained
from llm_i2i_spark.lake.splits import (
    assign_folds,
    keep_one_per_pair,
    mark_held_back_items,
    order_positions,
)
from llm_i2i_spark.lake.stage_run import StageRun

MOST_HELD_BACK = 0.05
"""Of the items: what is held back is lost to what trained backbones learn about all others."""


def execute(run: StageRun) -> None:
    """Write the four tables of this stage.

    Raises:
        UserError: the input cannot be read, has no good row, or too many bad ones; nothing is
            written then.
        StageError: the input was changed while it was read; nothing is written then.
    """
    ingest = run.config.ingest
    with nanosecond_times(run.spark):
        log = _opened(run, "interactions")
        _check_columns(log, run.config)
        wanted = _without_forgotten(run, check_interactions(log, ingest))
        rows, counts = _checked(run, log, wanted, "interactions")
        good = rows.where(F.col("reason").isNull())
        for sentence in oddities(log, good, counts[None], ingest):
            log_message(f"ingest: {sentence}")
        bad, products = quarantined(rows, "interactions", run.run_id), None
        if ingest.items:
            catalogue = _opened(run, "items")
            _check_title(catalogue)
            checked, of_items = _checked(run, catalogue, check_items(catalogue, ingest), "items")
            bad = bad.unionByName(quarantined(checked, "items", run.run_id))
            products, counts = checked.where("kept"), counts + of_items
        reasons = {reason: number for reason, number in counts.items() if reason is not None}
        for table, version in _pinned(run).items():
            require_unchanged(version, table, lambda: run.spark)
        share = _held_back_share(good, products, run.config.split)
        split = mark_held_back_items(_split(good, run.config), share, run.config.seed)
        interactions = run.written("interactions", split)
        run.write("quarantine", bad, reasons=reasons)
        if products is not None:
            clicked = interactions.select("item_id").distinct()
            for sentence in describe_join(clicked, products, catalogue.path):
                log_message(f"ingest: {sentence}")
        items = run.written("items", build_items(products, interactions))
        stats = item_statistics(items, interactions, ingest.long_tail_share)
        counted = count_log(interactions, items)
        written = run.written("item_stats", stats, **{LOG_SIZE: counted.size})
        _report(counted, written, reasons)


def _pinned(run: StageRun) -> dict[str, SourceVersion]:
    """The states of the raw tables that the run was planned on."""
    pinned = run.pinned.external_inputs.items()
    return {name: version for name, version in pinned if isinstance(version, SourceVersion)}


def _without_forgotten(run: StageRun, checked: DataFrame) -> DataFrame:
    """The checked rows but those of users who are to be forgotten: they are not even refused, since
    the table `quarantine` would keep them.
    """
    for one in run.pinned.external_inputs.values():
        if isinstance(one, ForgottenUsers):
            log_message(f"ingest: leaves out what the log holds of {one.description} to forget")
            checked = checked.where(~one.condition("user_id", "raw"))
    return checked


def _opened(run: StageRun, table: str) -> Source:
    """A raw table in its pinned state.

    Raises:
        StageError: it is a view, and its rows are no longer those of that state.
    """
    version = _pinned(run)[table]
    rows = None
    if version.kind == "rows":
        with explained(version.path, f"ingest.{table}"):
            rows = run.staged(run.spark.read.table(version.path), f"ingest: reading {table}")
            if rows_digest(rows) != version.digest:
                raise changed_while_read(version, table)
    return read_source(run.spark, run.config.ingest, table, version, rows)


def _checked(
    run: StageRun, source: Source, checked: DataFrame, table: str
) -> tuple[DataFrame, Counter[str | None]]:
    """The checked rows, computed once, and their number by reason (None: good), after refusing what
    is too bad.
    """
    with explained(source.path, f"ingest.{table}"):
        rows = run.staged(checked, f"ingest: reading {table}")
        counted = rows.groupBy("reason").agg(F.count("*").alias("rows")).collect()
    counts = Counter({row["reason"]: int(row["rows"]) for row in counted})
    log_message(
        f"ingest: read {sum(counts.values()):,} rows of {source.path}"
        f" ({_found(source, run.config.ingest)})"
    )
    remark = time_remark(rows, source) if "ts" in source.columns else ""
    refuse_bad_input(counts, table, source.path, run.config.ingest.max_quarantine_share, remark)
    if remark:
        log_message(f"ingest: some rows have no time{remark}")
    return rows, counts


def _check_columns(log: Source, config: Config) -> None:
    """Stop or warn where the options need a column that the log has not.

    Raises:
        ConfigError: they cannot do without it.
    """
    ingest, listed = config.ingest, ", ".join(_raw_names(log))
    if ingest.weight == "use" and "weight" not in log.columns:
        raise ConfigError(
            f"ingest.weight=use needs a column of weights and {log.path} has none of that name, but"
            f" {listed}; name it with --set ingest.columns.weight=COLUMN."
        )
    if ingest.event_weights and "event" not in log.columns:
        raise ConfigError(
            f"ingest.event_weights needs a column of events and {log.path} has none, but {listed};"
            " name it with --set ingest.columns.event=COLUMN."
        )
    if "ts" in log.columns:
        return
    if config.split.holdout == "time":
        raise ConfigError(
            f"split.holdout=time needs times and {log.path} has none, but {listed}; map"
            " ingest.columns.ts or set split.holdout=last_2."
        )
    if ingest.session_gap:
        raise ConfigError(
            f"ingest.session_gap needs times and {log.path} has none, but {listed}; map"
            " ingest.columns.ts or leave ingest.session_gap out."
        )
    if "pos" not in log.columns:
        held_out = (
            f"; the rows that split.holdout={config.split.holdout} holds out are not the last"
            " clicks, and no figure of the evaluation is about the future"
            if config.split.holdout != "none"
            else ""
        )
        log_message(
            f"ingest: THE ORDER OF THE CLICKS IS UNKNOWN: {log.path} has neither ts nor pos, so a"
            f" user's rows are ordered by item_id{held_out}. It has {listed}: name the time with"
            " --set ingest.columns.ts=COLUMN"
        )


def _check_title(catalogue: Source) -> None:
    if "title" not in catalogue.columns:
        log_message(
            f"ingest: {catalogue.path} has no column title, so no item has one; it has"
            f" {', '.join(_raw_names(catalogue))}: name it with --set ingest.columns.title=COLUMN"
        )


def _split(good: DataFrame, config: Config) -> DataFrame:
    """The good rows as histories: sessions where they are wanted, a row a pair, in order, with its
    weight and fold.
    """
    ingest, strongest = config.ingest, []
    gap = ingest.session_gap_seconds
    if gap is not None:
        good = split_sessions(good, gap)
    if ingest.event_weights:
        good, strongest = with_event_weights(good, ingest.event_weights), [EVENT_WEIGHT]
    pairs = keep_one_per_pair(good, ingest.deduplicate_keep, strongest)
    if strongest:
        pairs = pairs.withColumn("weight", F.col("weight") * F.col(EVENT_WEIGHT))
    ordered = order_positions(pairs, ingest.tie_order, config.seed)
    split = config.split
    folds = assign_folds(
        ordered, split.holdout, split.holdout_share, split.test_from, split.valid_from
    )
    return folds.select("user_id", "item_id", "ts", "position", "event", "weight", "fold")


def _held_back_share(good: DataFrame, products: DataFrame | None, split: SplitConfig) -> float:
    """The share of the items that stand in for those without a click."""
    if split.held_back_items != "auto":
        return split.held_back_items
    if products is None:
        return 0.0
    clicked = good.select("item_id").distinct().withColumn("clicked", F.lit(True))
    joined = products.select("item_id").join(clicked, "item_id", "left")
    counted = joined.agg(F.count("*").alias("items"), F.count("clicked").alias("clicked")).first()
    assert counted is not None
    new = counted["items"] - counted["clicked"]
    return min(float(new / max(counted["items"], 1)), MOST_HELD_BACK)


def _found(source: Source, config: IngestConfig) -> str:
    """The columns and what is made of them, as the line on the raw table says it."""
    columns = ", ".join(
        name if chosen.names == (name,) else f"{name} from {'/'.join(chosen.names)}"
        for name, chosen in source.columns.items()
    )
    parts = [columns]
    if "weight" in source.columns and config.weight == "ignore":
        parts.append("weight is ignored, ingest.weight=use counts it")
    if "event" in source.columns and config.event_weights:
        weights = ", ".join(f"{event} {value:g}" for event, value in config.event_weights.items())
        parts.append(f"event weights {weights}")
    if "ts" in source.columns and config.session_gap:
        parts.append(f"sessions end after {config.session_gap}")
    return "; ".join(parts)


def _raw_names(source: Source) -> list[str]:
    return [name for name in source.frame.columns if name not in INTERNAL]


def _report(counted: LogCounts, stats: DataFrame, reasons: dict[str, int]) -> None:
    tails = stats.agg(F.count_if("is_long_tail"), F.count_if(F.col("n_interactions") == 0)).first()
    assert tails is not None
    tail, cold = tails
    rows = counted.by_fold
    split = ", ".join(f"{rows[fold]:,} {fold}" for fold in ("train", "valid", "test") if rows[fold])
    log_message(
        f"ingest: wrote interactions ({split}) of {counted.users:,} users with {counted.items:,}"
        " items"
    )
    log_message(
        f"ingest: of the items {counted.untitled:,} have no title, {tail:,} are long tail,"
        f" {cold:,} without training rows"
    )
    log_message(f"ingest: quarantined: {describe(reasons)}")
