"""A lake of ten million fused rows, written by the package's own writer.

The rows are drawn, and given to the writer in the partitions in which the stages hand theirs over:
by user as the window of `ingest` leaves them, by pair as the joins of `fuse`, real rows first, by
item as the blocks of `i2i` and the lists of `index`, in buckets of users as `generate` and
`discriminate`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.base.contract import result_name, scope_key
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.run_record import ScopeResult, commit_of
from llm_i2i_spark.base.stage import PinnedRun
from llm_i2i_spark.base.variants import BASE_BRANCH
from llm_i2i_spark.lake.batch_inference import in_user_buckets
from llm_i2i_spark.pipeline.stages import STAGES
from llm_i2i_spark.project import Project
from tests.benchmarks.report import log_message
from tests.benchmarks.scale.logs import write_log

CLICKS = 9_000_000
"""Of a tenth as many users; with the proposals more than 10 million rows."""
HELD_OUT, PROPOSED = 1, 3
"""Rows of a user."""
NEIGHBORS, REPLACED = 50, 5
"""In a list, and of them those that the second index has others for."""
BRANCH = {"branch": BASE_BRANCH}
VARIANT = {"variant": "llm_i2i"}
INDEX = VARIANT | {"backbone": "swing"}
MODEL = "0" * 64


def write_lake(folder: Path, scale: float, spark: Mapping[str, Any]) -> Project:
    """The lake in a folder; tables that a former call has written are not written again.

    Args:
        folder: for the log and the lake.
        scale: of users and items.
        spark: settings of the session.
    """
    log = folder / "log"
    if not (log / "lists_1.parquet").is_file():
        write_log(log, round(CLICKS * scale))
        for number in (0, 1):
            _write_lists(log, number)
    project = Project(folder / "lake", settings=spark)
    for (table, number), (scope, rows) in TABLES_OF_LOG.items():
        written = [one for one in project.histories.history(table) if one.record]
        if len(written) <= number:
            started = time.monotonic()
            _write(project, table, scope, rows(project, log))
            log_message(f"{table} written in {time.monotonic() - started:.1f} s")
    return project


def _interactions(project: Project, log: Path) -> DataFrame:
    rows = _clicks(project, log)
    return (
        rows.repartition("user_id")
        .sortWithinPartitions("user_id", "ts")
        .select(
            "user_id",
            "item_id",
            "ts",
            "position",
            F.lit("click").alias("event"),
            F.lit(1.0).alias("weight"),
            F.when(F.col("position") < HELD_OUT, "test").otherwise("train").alias("fold"),
            F.lit(False).alias("held_back"),
        )
    )


def _items(project: Project, log: Path) -> DataFrame:
    rows = project.lake.spark.read.parquet(str(log / "items.parquet"))
    return rows.select(
        "item_id",
        F.col("text").alias("title"),
        "brand",
        "category",
        "text",
        F.create_map().cast("map<string,string>").alias("extra"),
    )


def _proposals(project: Project, log: Path) -> DataFrame:
    """Items beyond the catalogue's first ones: nobody has them yet."""
    rows = _clicks(project, log).where(F.col("position") < PROPOSED)
    return rows.select("user_id", F.concat(F.lit("n"), "item_id").alias("item_id"), "position")


def _candidates(project: Project, log: Path) -> DataFrame:
    rows = _proposals(project, log).select(
        F.lit(BASE_BRANCH).alias("branch"),
        "user_id",
        "item_id",
        (F.col("position") + 1).alias("rank"),
        (-1.0 - F.col("position")).alias("log_prob"),
        *(F.lit(MODEL).alias(f"{name}_digest") for name in ("model", "prompt", "decode")),
    )
    buckets = project.config.generate.partitions
    return in_user_buckets(rows, buckets, 42, ["user_id", "rank"])


def _scored(project: Project, log: Path) -> DataFrame:
    rows = _both(project, log).select(
        F.lit(BASE_BRANCH).alias("branch"),
        "user_id",
        "item_id",
        "source",
        _score().alias("p_yes"),
        _score().alias("confidence"),
        (_score() >= 0.5).alias("decision"),
        F.lit(MODEL).alias("model_digest"),
        F.lit(MODEL).alias("prompt_digest"),
    )
    buckets = project.config.discriminate.partitions
    return in_user_buckets(rows, buckets, 42, ["user_id", "item_id"])


def _fused(project: Project, log: Path) -> DataFrame:
    rows = _both(project, log).repartition("user_id", "item_id")
    rows = rows.sortWithinPartitions("source", "user_id", "item_id")
    is_real = F.col("source") == "real"
    return rows.select(
        F.lit("llm_i2i").alias("variant"),
        "user_id",
        "item_id",
        F.when(is_real, 1.0).otherwise(_score()).alias("weight"),
        "source",
        _score().alias("confidence"),
        "ts",
        "position",
    )


def _similarities(project: Project, log: Path) -> DataFrame:
    lists = project.lake.spark.read.parquet(str(log / "lists_0.parquet"))
    rows = lists.repartition("item_id").select("item_id", F.explode("neighbors").alias("n"))
    return rows.select(
        F.lit("llm_i2i").alias("variant"),
        F.lit("swing").alias("backbone"),
        "item_id",
        F.col("n.item_id").alias("neighbor_id"),
        F.col("n.score").alias("similarity"),
        F.lit(2).alias("support"),
        F.col("n.synthetic_share").alias("synthetic_share"),
        F.lit(None).cast("array<struct<component:string,share:double>>").alias("components"),
    )


def _index(number: int, project: Project, log: Path) -> DataFrame:
    lists = project.lake.spark.read.parquet(str(log / f"lists_{number}.parquet"))
    return lists.repartition("item_id").select(
        F.lit("llm_i2i").alias("variant"), F.lit("swing").alias("backbone"), "item_id", "neighbors"
    )


TABLES_OF_LOG = {
    ("interactions", 0): ({}, _interactions),
    ("items", 0): ({}, _items),
    ("candidates", 0): (BRANCH, _candidates),
    ("scored", 0): (BRANCH, _scored),
    ("fused", 0): (VARIANT, _fused),
    ("item_similarity", 0): (INDEX, _similarities),
    ("item_index", 0): (INDEX, lambda project, log: _index(0, project, log)),
    ("item_index", 1): (INDEX, lambda project, log: _index(1, project, log)),
}
"""By table and number of the commit: scope and rows."""
READ_BY = {
    "ingest": (),
    "generate": ("interactions", "items"),
    "discriminate": ("interactions", "items", "candidates"),
    "fuse": ("interactions", "scored"),
    "i2i": ("fused",),
    "index": ("fused", "item_similarity"),
}
"""Without the tables of models: no rows here are theirs."""


def _clicks(project: Project, log: Path) -> DataFrame:
    return project.lake.spark.read.parquet(str(log / "clicks.parquet"))


def _both(project: Project, log: Path) -> DataFrame:
    """Real rows of the training fold, and proposals."""
    real = _clicks(project, log).where(F.col("position") >= HELD_OUT)
    nothing = {"ts": F.lit(None).cast("timestamp"), "position": F.lit(None).cast("int")}
    proposed = _proposals(project, log).withColumns(nothing | {"source": F.lit("synthetic")})
    return real.withColumn("source", F.lit("real")).unionByName(proposed)


def _score() -> Any:
    hashed = F.pmod(F.xxhash64("user_id", "item_id"), F.lit(1000))
    return (hashed + 500) / F.lit(1500.0)


def _write_lists(log: Path, number: int) -> None:
    """Lists of neighbours near an item, whose last ones are others in the second file."""
    items = pq.read_table(log / "items.parquet", columns=["item_id"])["item_id"].combine_chunks()
    n, ranks = len(items), np.arange(1, NEIGHBORS + 1)
    found = (np.arange(n)[:, None] + ranks[None, :]) % n
    if number:
        found[:, -REPLACED:] = (found[:, -REPLACED:] + REPLACED) % n
    entries = pa.StructArray.from_arrays(
        [
            items.take(pa.array(found.ravel())),
            pa.array(np.tile(1.0 / ranks, n)),
            pa.array(np.tile(ranks, n).astype(np.int32)),
            pa.array(np.zeros(found.size)),
        ],
        ["item_id", "score", "rank", "synthetic_share"],
    )
    starts = np.arange(0, found.size + 1, NEIGHBORS, dtype=np.int32)
    lists = pa.table({"item_id": items, "neighbors": pa.ListArray.from_arrays(starts, entries)})
    pq.write_table(lists, log / f"lists_{number}.parquet")


def _write(project: Project, table: str, scope: Mapping[str, str], rows: DataFrame) -> None:
    """Commit rows with the record that the runner would give a stage."""
    stage = next(one for one in STAGES if one.name == TABLES[table].stage)
    config, lake = project.config, project.lake
    reads, inputs = {}, {}
    for name in READ_BY[stage.name]:
        version = lake.version(name)
        assert version is not None
        own = BRANCH if TABLES[name].scope == ("branch",) else TABLES[name].scope_of(dict(scope))
        commit = commit_of(lake.history(name), own)
        assert commit is not None
        assert commit.record is not None
        reads[name] = version
        inputs[result_name(name, own)] = commit.record.scopes[scope_key(own)].fingerprint
    settings = [key.format(**scope) for key in stage.settings]
    number = len(lake.history(table))
    name = hashlib.sha256(f"{table} {number}".encode()).hexdigest()
    pinned = PinnedRun(
        run_id=f"20260101T00000{number}-made",
        stage=stage.name,
        reads=reads,
        scopes=(dict(scope),),
        results={scope_key(scope): ScopeResult(name, inputs, stage.code_digest(scope))},
        settings=config.settings(*settings, "seed"),
    )
    lake.write(rows, pinned.record(config, table), (dict(scope),) if scope else ())
