"""A tiny lake whose table `fused` has the groups of a made-up log, for two variants."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from deltalake import CommitProperties, write_deltalake

from llm_i2i_spark.config.config import Config
from tests.backbones.embedding.made_up_log import made_up_log
from tests.stage_runs import record_of

VARIANTS = ("real", "llm_i2i")
SCOPES = tuple({"variant": name, "backbone": "bpr"} for name in VARIANTS)
SMALL = {
    "bpr": {"factors": 8, "epochs": 3, "batch_size": 64},
    "youtube_dnn": {"dims": 8, "hidden": [8], "epochs": 3, "batch_size": 64, "sample_size": 64},
}
"""Parameters with which a backbone learns in no time."""


def write_fused(root: Path) -> Path:
    """Version 0 of `fused`, as stage fuse commits it."""
    parts = []
    for number, name in enumerate(VARIANTS):
        rows = made_up_log(number)
        parts.append(rows.add_column(0, "variant", pa.array([name] * len(rows), pa.string())))
    record = record_of(Config(), "fused", [{"variant": name} for name in VARIANTS])
    metadata = CommitProperties(custom_metadata={"userMetadata": record.to_json()})
    table = pa.concat_tables(parts)
    write_deltalake(str(root / "fused"), table, commit_properties=metadata)
    return root


def write_config(root: Path, **parameters: object) -> Path:
    i2i = {**SMALL, "bpr": {**SMALL["bpr"], **parameters}}
    values = {"lake": {"root": str(root)}, "seed": 3, "i2i": i2i}
    path = root / "config.yaml"
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny():
    """The functions of this file, since test files cannot import one another."""
    return SimpleNamespace(write_fused=write_fused, write_config=write_config, scopes=SCOPES)
