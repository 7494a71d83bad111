"""Which rows of the last result new clicks can have changed, so that only those are computed again.

A similarity of items i and j is a sum over users who have both. Where no user of i has a changed
list, every term of row i is as it was: so the rows to compute are those of the items in the lists
of changed users, before and after. Kept rows need no new numbers, since the order of two ids never
changes.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark import __version__
from llm_i2i_spark.backbones.cooccurrence.item_ids import Items
from llm_i2i_spark.backbones.cooccurrence.item_norms import BACKBONES
from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.run_record import RunRecord
from llm_i2i_spark.base.stage import PinnedRun
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.lake.materialize import materialized
from llm_i2i_spark.lake.tables import Lake


@dataclass(frozen=True)
class Increment:
    """What is new since the last result.

    Attributes:
        variants: of the run.
        changed: `variant, item_id` of the rows to compute again.
        kept: all other rows of the last result.
    """

    variants: tuple[str, ...]
    changed: DataFrame
    kept: DataFrame

    def wanted(self, items: Items) -> dict[str, npt.NDArray[np.bool_]]:
        """By variant and item number, whether the row is to be computed."""
        rows = (
            self.changed.join(items.table, "item_id")
            .groupBy("variant")
            .agg(F.collect_list("item").alias("items"))
        )
        wanted = {variant: np.zeros(len(items.clicks), np.bool_) for variant in self.variants}
        for row in rows.collect():
            wanted[row["variant"]][row["items"]] = True
        return wanted


def settings_digest(config: Config) -> str:
    """Of all that a similarity depends on beside the rows."""
    return config.digest("i2i.swing", "i2i.bm25", "i2i.transitions", "i2i.top_k", "seed")


def find_increment(
    lake: Lake, config: Config, run: PinnedRun, staged: ExitStack
) -> Increment | None:
    """What is new since the last result, where that can be built upon.

    It can if it has the same settings, variants and code, if the rows of its backbone change only
    with their users, and if the change feed of `fused` reaches back to it.

    Args:
        staged: keeps the changed items readable.
    """
    latest = lake.history("item_similarity", limit=1)
    record = latest[0].record if latest else None
    if record is None or not _can_build(config) or not _is_alike(record, config, run):
        return None
    changed = _changed_items(lake, run, record.reads["fused"])
    if changed is None:
        log_message(
            "  the change feed of fused does not reach back to the last result: all rows are"
            " computed"
        )
        return None
    changed = staged.enter_context(materialized(lake, changed, "i2i: what changed"))
    last = lake.read("item_similarity", latest[0].version)
    return Increment(
        tuple(scope["variant"] for scope in run.scopes),
        changed,
        last.join(changed, ["variant", "item_id"], "left_anti"),
    )


def _can_build(config: Config) -> bool:
    return (
        config.i2i.incremental
        and config.i2i.engine == "block"
        and config.i2i.backbone not in BACKBONES
    )


def _is_alike(record: RunRecord, config: Config, run: PinnedRun) -> bool:
    attributes = record.attributes
    same = attributes.get("settings") == settings_digest(config) and attributes.get(
        "variants"
    ) == list(tuple(scope["variant"] for scope in run.scopes))
    return (
        same
        and record.code_version == __version__
        and record.reads.get("fused", run.reads["fused"]) < run.reads["fused"]
    )


def _changed_items(lake: Lake, run: PinnedRun, before: int) -> DataFrame | None:
    """The items in the lists of changed users. Rows that were only written anew cancel out, however
    `fused` was written.
    """
    now = run.reads["fused"]
    feed = lake.changes("fused", before, now)
    if feed is None:
        return None
    of_run: Column = F.col("variant").isin(*tuple(scope["variant"] for scope in run.scopes))
    row = ("variant", "user_id", "item_id", "weight", "source", "position")
    net = feed.where(of_run).groupBy(*row).agg(F.sum("change").alias("change")).where("change <> 0")
    users = net.select("variant", "user_id").distinct()
    rows = lake.read("fused", before).unionByName(lake.read("fused", now)).where(of_run)
    return (
        rows.join(users, ["variant", "user_id"], "left_semi")
        .select("variant", "item_id")
        .distinct()
    )
