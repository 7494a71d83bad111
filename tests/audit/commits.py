"""Commits with the run record that the runner gives a stage, and as version 0.1 gave it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema

from llm_i2i_spark.base.contract import Scope, result_name, scope_condition, scope_key
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.external_input import ExternalInput
from llm_i2i_spark.base.run_record import RunRecord, ScopeResult
from llm_i2i_spark.base.stage import PinnedRun
from llm_i2i_spark.base.variants import BASE_BRANCH
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.lake.tables import Lake, contract_schema
from llm_i2i_spark.pipeline.stages import STAGES

Rows = list[tuple[Any, ...]]

BASE = {"branch": BASE_BRANCH}
REAL, LLM_I2I = {"variant": "real"}, {"variant": "llm_i2i"}
SWING, BLEND = {"backbone": "swing"}, {"backbone": "blend"}


class Writer:
    """Commits rows with the record that the runner gives a stage, through delta-rs, which takes a
    thousandth of the time of Spark.
    """

    def __init__(self, lake: Lake, config: Config, run_id: str) -> None:
        self.lake, self.config, self.run_id = lake, config, run_id

    def __call__(
        self,
        table: str,
        rows: DataFrame | Rows,
        reads: Mapping[str, int],
        scopes: Sequence[Scope] = ({},),
        **attributes: Any,
    ) -> int:
        contract = TABLES[table]
        schema = to_arrow_schema(contract_schema(contract), timezone="UTC")
        record = self.record(table, dict(reads), scopes, attributes)
        path, replaced = self.lake.path(table), [scope for scope in scopes if scope]
        write_deltalake(
            path,
            _arrow(rows, self.fitting(schema)),
            mode="overwrite",
            predicate=scope_condition(tuple(replaced))
            if replaced and DeltaTable.is_deltatable(path)
            else None,
            commit_properties=CommitProperties(custom_metadata={"userMetadata": record}),
        )
        return DeltaTable(path).version()

    def fitting(self, schema: pa.Schema) -> pa.Schema:
        """The columns that the table gets."""
        return schema

    def record(
        self, table: str, reads: dict[str, int], scopes: Sequence[Scope], attributes: dict[str, Any]
    ) -> str:
        """The run record as JSON."""
        return self.run_record(table, reads, scopes, attributes).to_json()

    def run_record(
        self, table: str, reads: dict[str, int], scopes: Sequence[Scope], attributes: dict[str, Any]
    ) -> RunRecord:
        stage = next(one for one in STAGES if one.name == TABLES[table].stage)
        settings = [key.format(**scope) for key in stage.settings for scope in scopes]
        run = PinnedRun(
            self.run_id,
            stage.name,
            reads,
            scopes=tuple(map(dict, scopes)),
            results={
                scope_key(scope): ScopeResult(
                    f"{self.run_id} {stage.name} {scope_key(scope)}", _inputs(reads, scope)
                )
                for scope in scopes
            },
            external_inputs={} if reads else {"clicks.csv": ExternalInput("c5" * 32)},
            settings=self.config.settings(*settings, "seed"),
        )
        return run.record(self.config, table, **attributes)


class OldWriter(Writer):
    """Commits as version 0.1 did: no column `branch`, one fingerprint for the whole table, no
    settings in the record.
    """

    def fitting(self, schema: pa.Schema) -> pa.Schema:
        return pa.schema([field for field in schema if field.name != "branch"])

    def record(
        self, table: str, reads: dict[str, int], scopes: Sequence[Scope], attributes: dict[str, Any]
    ) -> str:
        values = asdict(self.run_record(table, reads, scopes, attributes))
        for name in ("scopes", "settings"):
            del values[name]
        values["inputs"], values["sources"] = values.pop("reads"), values.pop("external_inputs")
        values["details"] = values.pop("attributes")
        values |= {"fingerprint": f"{self.run_id} {values['stage']}", "code_version": "0.1.0"}
        return json.dumps({**values, "config_digest": "b2" * 32}, sort_keys=True)


def _arrow(rows: DataFrame | Rows, schema: pa.Schema) -> pa.Table:
    if isinstance(rows, DataFrame):
        return rows.toArrow().select(schema.names).cast(schema)
    return pa.Table.from_pylist(
        [dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema
    )


def _inputs(reads: Iterable[str], scope: Scope) -> dict[str, str]:
    """The results that one of a scope is made from; without a model, none of the models' tables."""
    inputs = {}
    for table in reads:
        if TABLES[table].scope == ("branch",):
            if scope.get("variant") != "real":
                inputs[result_name(table, BASE)] = f"of {table}"
        else:
            inputs[result_name(table, TABLES[table].scope_of(scope))] = f"of {table}"
    return inputs
