"""Read the raw log and catalogue, quarantine what is bad, write interactions, items and their
statistics.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.ingest.quarantine import (
    check_interactions,
    check_items,
    describe,
    quarantined,
    refuse_bad_input,
)
from llm_i2i_spark.ingest.readers import (
    MALFORMED,
    Source,
    nanosecond_times,
    read_source,
)
from llm_i2i_spark.ingest.source_versions import (
    SourceVersion,
    changed_while_read,
    require_unchanged,
)
from llm_i2i_spark.ingest.transform import build_items
from llm_i2i_spark.lake.item_statistics import item_statistics
from llm_i2i_spark.lake.sources import rows_digest
from llm_i2i_spark.lake.spark_errors import explained
from llm_i2i_spark.lake.splits import assign_folds, keep_one_per_pair, order_positions
from llm_i2i_spark.lake.stage_run import StageRun


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
        _check_order(log, run.config)
        rows, reasons = _checked(run, log, check_interactions(log, ingest), "interactions")
        bad, products = quarantined(rows, "interactions", run.run_id), None
        if ingest.items:
            catalogue = _opened(run, "items")
            checked, more = _checked(run, catalogue, check_items(catalogue, ingest), "items")
            bad = bad.unionByName(quarantined(checked, "items", run.run_id))
            products, reasons = checked.where("kept"), reasons + more
        for table, version in _pinned(run).items():
            require_unchanged(version, table, lambda: run.spark)
        interactions = run.written("interactions", _split(rows, log, run.config))
        run.write("quarantine", bad, reasons=dict(reasons))
        items = run.written("items", build_items(products, interactions))
        stats = item_statistics(items, interactions, ingest.long_tail_share)
        _report(interactions, items, run.written("item_stats", stats), reasons)


def _pinned(run: StageRun) -> dict[str, SourceVersion]:
    """The states of the raw tables that the run was planned on."""
    pinned = run.pinned.external_inputs.items()
    return {name: version for name, version in pinned if isinstance(version, SourceVersion)}


def _opened(run: StageRun, table: str) -> Source:
    """A raw table in its pinned state.

    Raises:
        StageError: it is a view, and its rows are no longer those of that state.
    """
    version = _pinned(run)[table]
    source = read_source(run.spark, run.config.ingest, table, version)
    if version.kind != "rows":
        return source
    with explained(source.path, f"ingest.{table}"):
        rows = run.staged(source.frame, f"ingest: reading {table}")
        if rows_digest(rows.drop(MALFORMED)) != version.digest:
            raise changed_while_read(version, table)
    return replace(source, frame=rows)


def _checked(
    run: StageRun, source: Source, checked: DataFrame, table: str
) -> tuple[DataFrame, Counter[str]]:
    """The checked rows, computed once, and the number of bad ones by reason, after refusing what is
    too bad.
    """
    with explained(source.path, f"ingest.{table}"):
        rows = run.staged(checked, f"ingest: reading {table}")
        counted = rows.groupBy("reason").agg(F.count("*").alias("rows")).collect()
    counts = {row["reason"]: int(row["rows"]) for row in counted}
    log_message(f"ingest: read {sum(counts.values()):,} rows of {source.path} ({_found(source)})")
    refuse_bad_input(counts, table, source.path, run.config.ingest.max_quarantine_share)
    return rows, Counter(
        {reason: number for reason, number in counts.items() if reason is not None}
    )


def _check_order(log: Source, config: Config) -> None:
    if "ts" in log.columns:
        return
    if config.split.holdout == "time":
        raise ConfigError(
            f"split.holdout=time needs times and {log.path} has none; map ingest.columns.ts or set"
            " split.holdout=last_2."
        )
    if "pos" not in log.columns:
        log_message(
            f"ingest: {log.path} has neither ts nor pos, so a user's rows are ordered by item_id"
            " and 'last' means nothing in time"
        )


def _split(rows: DataFrame, log: Source, config: Config) -> DataFrame:
    ingest, has_pos, has_ts = config.ingest, "pos" in log.columns, "ts" in log.columns
    good = rows.where(F.col("reason").isNull())
    pairs = keep_one_per_pair(good, ingest.deduplicate_keep, has_pos=has_pos)
    ordered = order_positions(pairs, ingest.tie_order, config.seed, has_pos=has_pos, has_ts=has_ts)
    folds = assign_folds(ordered, config.split.holdout, config.split.holdout_share)
    return folds.select("user_id", "item_id", "ts", "position", "event", "weight", "fold")


def _found(source: Source) -> str:
    return ", ".join(
        name if names == (name,) else f"{name} from {'/'.join(names)}"
        for name, names in source.columns.items()
    )


def _report(
    interactions: DataFrame, items: DataFrame, stats: DataFrame, reasons: Counter[str]
) -> None:
    # Each user has one row at position 0, so users are counted without a shuffle.
    folds = [F.count_if(F.col("fold") == fold).alias(fold) for fold in ("train", "valid", "test")]
    log = interactions.agg(*folds, F.count_if(F.col("position") == 0).alias("users"))
    names = items.agg(
        F.count("*").alias("items"), F.count_if(F.col("title").isNull()).alias("untitled")
    )
    tails = stats.agg(
        F.count_if("is_long_tail").alias("tail"),
        F.count_if(F.col("n_interactions") == 0).alias("cold"),
    )
    told = log.crossJoin(names).crossJoin(tails).collect()[0]
    split = ", ".join(f"{told[fold]:,} {fold}" for fold in ("train", "valid", "test") if told[fold])
    log_message(
        f"ingest: wrote interactions ({split}) of {told['users']:,} users with {told['items']:,}"
        " items"
    )
    log_message(
        f"ingest: of the items {told['untitled']:,} have no title, {told['tail']:,} are long tail,"
        f" {told['cold']:,} without training rows"
    )
    log_message(f"ingest: quarantined: {describe(reasons)}")
