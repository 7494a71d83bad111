"""What has changed since the last result of a variant and backbone, so that a backbone can keep the
rows that no new interaction can have changed.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.backbones.base import Backbone, PreviousResult
from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.contract import Scope, result_name, scope_key
from llm_i2i_spark.base.errors import TableNotFoundError
from llm_i2i_spark.base.run_record import ScopeResult, fingerprint_in
from llm_i2i_spark.lake.capabilities import SPARK_ERRORS
from llm_i2i_spark.lake.stage_run import StageRun


def find_previous(
    run: StageRun, scope: Scope, backbone: Backbone, settings: str
) -> PreviousResult | None:
    """The last result of a variant and backbone, where a new one can be built upon it.

    It can if it has the same parameters, seed and code, if a row of the backbone changes only with
    the interactions of its item's users, and if it and the change feed of `fused` since then are
    still readable.

    Args:
        run: the execution of stage i2i.
        scope: the variant and the backbone.
        backbone: with its parameters.
        settings: digest of parameters and seed.
    """
    options = run.config.i2i
    if not (backbone.is_incremental and options.incremental and options.engine == "block"):
        return None
    commit = run.last_commit("item_similarity", scope)
    if commit is None or commit.record is None:
        return None
    record, now = commit.record, run.versions["fused"]
    last = record.attributes.get("results", {}).get(scope_key(scope), {})
    result, planned = record.result(scope), run.pinned.results[scope_key(scope)]
    before = record.reads.get("fused", now)
    if last.get("settings") != settings or result is None:
        return None
    if result.code_digest != planned.code_digest:
        return None
    if before >= now or not _is_version_read(run, scope["variant"], before, result):
        return None
    try:
        changed = _changed_items(run, scope["variant"], before, now)
        if changed is not None:
            changed = run.staged(changed, "i2i: what changed")
            rows = run.lake.read("item_similarity", commit.version, scope).drop("components")
            rows.agg(F.bit_xor(F.xxhash64("item_id"))).collect()  # opens all of its files
            return PreviousResult(changed, rows)
    except (*SPARK_ERRORS, TableNotFoundError):
        pass
    log_message(
        "  the last result, or what has changed since, is no longer readable (VACUUM removes old"
        " files): all rows are computed"
    )
    return None


def _is_version_read(run: StageRun, variant: str, version: int, result: ScopeResult) -> bool:
    """Whether a version of `fused` is the one that a result was made from; in a table that was made
    anew it is another one.
    """
    scope = {"variant": variant}
    found = fingerprint_in(run.lake.history("fused"), scope, version)
    return found is not None and found == result.inputs.get(result_name("fused", scope))


def _changed_items(run: StageRun, variant: str, before: int, now: int) -> DataFrame | None:
    """The items, in both versions of `fused`, of users whose interactions changed. Rows that were
    only written anew cancel out, however `fused` was written.
    """
    feed = run.lake.changes("fused", before, now)
    if feed is None:
        return None
    row = ("user_id", "item_id", "weight", "source", "position")
    net = (
        feed.where(F.col("variant") == variant)
        .groupBy(*row)
        .agg(F.sum("change").alias("change"))
        .where("change <> 0")
    )
    users = net.select("user_id").distinct()
    scope = {"variant": variant}
    rows = run.lake.read("fused", before, scope).unionByName(run.lake.read("fused", now, scope))
    return rows.join(users, "user_id", "left_semi").select("item_id").distinct()
