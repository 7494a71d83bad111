"""A day of new clicks: the share of the work that is saved, and stage `i2i` itself against a full
run.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
from pyspark.sql import functions as F

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.i2i.stage import STAGE
from llm_i2i_spark.lake.session import log_file, open_session
from llm_i2i_spark.lake.tables import Lake, contract_schema
from tests.benchmarks.report import LeftOut, log_message, report_plain
from tests.benchmarks.swing.engine import HEAP, MASTER
from tests.benchmarks.swing.logs import SHARED
from tests.benchmarks.swing.options import A1, A2, TOP_K, B, Options
from tests.benchmarks.swing.processes import core_seconds
from tests.stage_runs import put_rows, run_stage

DAY = 86_400
DAYS = 30
SCOPE = {"variant": "real", "backbone": "swing"}
GOLDEN = (
    f"i2i.swing.a1={A1}",
    f"i2i.swing.a2={A2}",
    f"i2i.swing.b={B}",
    f"i2i.top_k={TOP_K}",
    f"index.size={TOP_K}",
)


def increment(options: Options) -> None:
    """Report saved_work of the day with the median number of rows of the last 30 days of a log."""
    for name in ("beauty", "sports"):
        log = _read(name)
        day = _median_day(log)
        old, new = log[log["ts"] // DAY < day], log[log["ts"] // DAY == day]
        lake = _lake(options.folder / name)
        _full, _ = _run(lake, _write(lake, old))
        version = _write(lake, pd.concat([old, new]))
        by_increment, saved = _run(lake, version)
        full, _ = _run(lake, version, "i2i.incremental=false")
        about = {
            "log": name,
            "rows_before": len(old),
            "rows_of_the_day": len(new),
            "users_of_the_day": new["user_id"].nunique(),
        }
        report_plain(
            "saved_work",
            saved,
            **about,
            incremental_core_seconds=by_increment,
            full_core_seconds=full,
        )


def _read(name: str) -> pd.DataFrame:
    path = SHARED / "data" / f"{name}_interactions.parquet"
    if not path.is_file():
        raise LeftOut(f"the measuring data (../shared/data/{path.name}) is not on this machine")
    return pd.read_parquet(path, columns=["user_id", "item_id", "ts"]).drop_duplicates(
        ["user_id", "item_id"]
    )


def _median_day(log: pd.DataFrame) -> int:
    """Days from the epoch."""
    rows = (log["ts"] // DAY).value_counts().sort_index()[-DAYS:].sort_values()
    return int(rows.index[len(rows) // 2])


def _lake(root: Path) -> Lake:
    config = load_config(
        [], [f"lake.root={root}", f"spark.master={MASTER}", f"spark.memory={HEAP}"]
    )
    return Lake(open_session(config.spark, log_file(config.lake)), config.lake)


def _write(lake: Lake, log: pd.DataFrame) -> int:
    """The log as the rows of `fused`. Returns the version."""
    schema = contract_schema(TABLES["fused"])
    order = log.sort_values(["user_id", "ts", "item_id"])
    columns = {
        "variant": SCOPE["variant"],
        "weight": 1.0,
        "source": "real",
        "position": order.groupby("user_id").cumcount().astype(np.int32),
    }
    rows = order[["user_id", "item_id"]].astype(str).assign(**columns)
    of_contract = [
        (F.col(field.name) if field.name in rows else F.lit(None))
        .cast(field.dataType)
        .alias(field.name)
        for field in schema
    ]
    frame = lake.spark.createDataFrame(rows).select(*of_contract)
    return put_rows(lake, load_config([], ["lake.root=unused"]), "fused", frame)


def _run(lake: Lake, version: int, *settings: str) -> tuple[float, float]:
    """Core-seconds of the stage, and the share of the kernel's work that it saved."""
    config = load_config([], ["lake.root=unused", *GOLDEN, *settings])
    start, core_start = time.perf_counter(), core_seconds()
    inputs = {f"fused[variant={SCOPE['variant']}]": "x"}  # as `put_rows` writes it
    run_stage(STAGE, lake, config, {"fused": version}, [SCOPE], inputs=inputs)
    spent = core_seconds() - core_start
    record = lake.history("item_similarity", limit=1)[0].record
    assert record is not None
    (result,) = record.attributes["results"].values()
    saved = float(result.get("saved_work", 0.0))
    log_message(f"  {time.perf_counter() - start:.1f} s, {spent:.1f} core-s, saved {saved:.0%}")
    return spent, saved
