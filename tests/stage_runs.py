"""Stages and tables in tests: rows written as their stage would, one stage run alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pyspark.sql import DataFrame

from llm_i2i_spark.base.contract import Scope, scope_key
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.run_record import RunRecord, ScopeResult
from llm_i2i_spark.base.stage import PinnedRun, Stage
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.lake.stage_run import StageRun
from llm_i2i_spark.lake.tables import Lake, contract_schema


def pinned_run(
    stage: str,
    reads: dict[str, int] | None = None,
    scopes: Sequence[Scope] = ({},),
    run_id: str = "r",
    fingerprint: str = "x",
) -> PinnedRun:
    """A run of a stage whose results have made-up fingerprints."""
    results = {scope_key(scope): ScopeResult(fingerprint) for scope in scopes}
    return PinnedRun(run_id, stage, reads or {}, {}, tuple(map(dict, scopes)), results)


def record_of(config: Config, table: str, scopes: Sequence[Scope] = ({},), **run: Any) -> RunRecord:
    """The record that a table's own stage would commit."""
    return pinned_run(TABLES[table].stage, scopes=scopes, **run).record(config, table)


def put_rows(
    lake: Lake,
    config: Config,
    table: str,
    rows: DataFrame | Sequence[tuple[Any, ...]],
    scopes: Sequence[Scope] | None = None,
    **run: Any,
) -> int:
    """Write rows of the contract, in their own scopes unless others are given; the version. Values
    that a row lacks at its end are null.
    """
    if isinstance(rows, DataFrame):
        frame = rows
    else:
        width = len(TABLES[table].columns)
        whole = [(*row, *[None] * (width - len(row))) for row in rows]
        frame = lake.spark.createDataFrame(whole, contract_schema(TABLES[table]))
    scope = TABLES[table].scope
    if scopes is None:
        scopes = (
            [row.asDict() for row in frame.select(*scope).distinct().collect()] if scope else [{}]
        )
    record = record_of(config, table, scopes, **run)
    return lake.write(frame, record, scopes if scope else ())


def run_stage(
    stage: Stage,
    lake: Lake,
    config: Config,
    reads: dict[str, int] | None = None,
    scopes: Sequence[Scope] = ({},),
    run_id: str = "r",
    read_scopes: dict[str, tuple[dict[str, str], ...]] | None = None,
    inputs: dict[str, str] | None = None,
) -> None:
    """Execute one stage on versions of its tables; `inputs` are fingerprints of what is read."""
    pinned = pinned_run(stage.name, reads, scopes, run_id)
    results = {key: replace(one, inputs=inputs or {}) for key, one in pinned.results.items()}
    external = stage.external_inputs(config, lambda: lake.spark)
    scoped = read_scopes or {}
    pinned = replace(pinned, read_scopes=scoped, results=results, external_inputs=dict(external))
    with StageRun(lake, config, stage, pinned) as run:
        stage.execute(run)
