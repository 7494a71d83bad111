"""Run records: what a commit says of its origin, and which commit holds a result."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone

from llm_i2i_spark.base.run_record import Commit, RunRecord, ScopeResult, commit_of
from llm_i2i_spark.base.stage import PinnedRun
from llm_i2i_spark.config.files import load_config

REAL, SWING = {"variant": "real"}, {"variant": "real", "backbone": "swing"}


def record(*keys: str) -> RunRecord:
    results = {key: ScopeResult(f"fingerprint of {key}", {"fused": "f"}) for key in keys}
    run = PinnedRun("r1", "fuse", {"interactions": 3}, scopes=(REAL,), results=results)
    return replace(run.record(load_config([], []), "fused", rows=4), scopes=results)


def commit(version: int, operation: str, of: RunRecord | None) -> Commit:
    return Commit(version, datetime.now(timezone.utc), operation, 1, of)


def test_a_record_survives_json_and_foreign_metadata_is_none() -> None:
    written = record("variant=real")
    assert RunRecord.from_json(written.to_json()) == written
    assert RunRecord.from_json(None) is None
    assert RunRecord.from_json("a note of someone else") is None
    assert RunRecord.from_json('{"some": "json"}') is None
    assert RunRecord.from_json("[1]") is None


def test_a_record_of_version_0_1_speaks_for_the_whole_table() -> None:
    old = {
        "run_id": "r0",
        "stage": "fuse",
        "table": "fused",
        "inputs": {"interactions": 1},
        "sources": {"log": "d"},
        "fingerprint": "f0",
        "config_digest": "c",
        "code_version": "0.1.0",
        "created": "2026-11-01T00:00:00+00:00",
        "details": {"variants": ["real"]},
    }
    read = RunRecord.from_json(json.dumps(old))
    assert read is not None
    assert (read.reads, read.external_inputs) == ({"interactions": 1}, {"log": "d"})
    assert read.result(REAL) == ScopeResult("f0")
    assert read.attributes == {"variants": ["real"]}


def test_the_commit_of_a_result_is_found_behind_those_of_others() -> None:
    history = [
        commit(4, "OPTIMIZE", None),
        commit(3, "WRITE", record("variant=llm_i2i")),
        commit(2, "WRITE", record("variant=real", "variant=no_generator")),
        commit(1, "WRITE", record("variant=real")),
        commit(0, "CREATE TABLE", None),
    ]
    assert commit_of(history, REAL) == history[2]
    assert commit_of(history, {"variant": "llm_i2i"}) == history[1]
    assert commit_of(history, {"variant": "llm_i2i"}, version=2) is None
    assert commit_of(history, REAL, version=1) == history[3]
    assert commit_of(history, {"variant": "no_threshold"}) is None


def test_nobody_can_say_what_rows_are_after_a_foreign_write() -> None:
    history = [commit(2, "DELETE", None), commit(1, "WRITE", record("variant=real"))]
    assert commit_of(history, REAL) is None
    assert commit_of(history, REAL, version=1) == history[1]
