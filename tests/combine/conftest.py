"""Examples of a combiner in which one feature decides, and a tiny lake with them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from deltalake import CommitProperties, write_deltalake

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.kernels.pair_features import PAIR_FEATURES
from tests.stage_runs import record_of

COMPONENTS = ("em_transitions", "text")
FEATURES = len(COMPONENTS) + len(PAIR_FEATURES)
CANDIDATES, RECENT, DECIDES = 10, 3, 5
SCOPES = ({"variant": "real", "backbone": "blend"}, {"variant": "llm_i2i", "backbone": "blend"})
ARROW = {
    "string": pa.string(),
    "int": pa.int32(),
    "double": pa.float64(),
    "array<string>": pa.list_(pa.string()),
    "array<int>": pa.list_(pa.int32()),
    "array<float>": pa.list_(pa.float32()),
    "array<double>": pa.list_(pa.float64()),
}


def made_up_examples(users: int, seed: int = 0, decides: bool = True) -> list[dict]:
    """Rows of `combiner_examples` without their scope. Where one feature decides, it is high in the
    pairs of the last interaction; nothing else tells anything of it.
    """
    random = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        pairs = [(r, c) for r in range(RECENT) for c in range(CANDIDATES) if random.random() < 0.6]
        pairs = [*pairs, (0, 0)] if (0, 0) not in pairs else pairs
        features = random.normal(size=(len(pairs), FEATURES))
        if decides:
            features[:, DECIDES] += [3.0 if c == 0 else 0.0 for _, c in pairs]
        rows.append(
            {
                "user_id": f"u{user:04d}",
                "item_id": "i0",
                "recent_items": [f"i{n}" for n in range(RECENT)],
                "recent_weights": [0.8**n for n in range(RECENT)],
                "candidate_weights": [1.0] * (CANDIDATES - 2) + [4.5] * 2,
                "pair_recent": [r for r, _ in pairs],
                "pair_candidate": [c for _, c in pairs],
                "mixture": random.uniform(0.001, 0.1, len(pairs)).tolist(),
                "features": features.astype(np.float32).ravel().tolist(),
                "loss_weight": 1.0,
            }
        )
    return rows


def as_arrow(rows: Sequence[dict], table: str = "combiner_examples") -> pa.Table:
    columns = TABLES[table].columns
    return pa.Table.from_pylist(
        list(rows),
        schema=pa.schema(
            [
                pa.field(one.name, ARROW[one.type], nullable=False)
                for one in columns
                if not rows or one.name in rows[0]
            ]
        ),
    )


def write_lake(
    root: Path,
    users: int | Sequence[int] = 200,
    scopes: Sequence[dict] = SCOPES,
    fingerprint: str = "f1",
    settings: dict | None = None,
) -> Path:
    """Tables `mixtures` and `combiner_examples`, as the part with Spark commits them; `users` of
    each scope.
    """
    config = Config()
    of_scopes = [users] * len(scopes) if isinstance(users, int) else users
    mixtures = [
        {**scope, "least_clicks": least, "component": name, "weight": 0.4}
        for scope in scopes
        for least in (0, 2)
        for name in COMPONENTS
    ]
    examples = [
        {**scope, **row}
        for number, scope in enumerate(scopes)
        for row in made_up_examples(of_scopes[number], number)
    ]
    np.random.default_rng(9).shuffle(examples)
    for table, rows in (("mixtures", mixtures), ("combiner_examples", examples)):
        record = record_of(config, table, scopes, fingerprint=fingerprint)
        record = replace(record, settings=settings or {})
        metadata = CommitProperties(custom_metadata={"userMetadata": record.to_json()})
        write_deltalake(
            str(root / table), as_arrow(rows, table), mode="overwrite", commit_properties=metadata
        )
    return root


def write_config(root: Path, **parameters: object) -> Path:
    path = root / "config.yaml"
    blend = {"epochs": 3, "least_steps": 0, "batch_size": 32, **parameters}
    values = {"lake": {"root": str(root)}, "seed": 3, "i2i": {"blend": blend}}
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def job_command(config: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "llm_i2i_spark.combine", "--config", str(config), *more]


def run_job(config: Path, *more: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        job_command(config, *more),
        capture_output=True,
        text=True,
        timeout=300,
        env=dict(os.environ),
        check=False,
    )


@pytest.fixture(scope="session")
def tiny():
    """The functions of this file, since test files cannot import one another."""
    return SimpleNamespace(
        examples=made_up_examples,
        as_arrow=as_arrow,
        write_lake=write_lake,
        write_config=write_config,
        command=job_command,
        run_job=run_job,
        scopes=SCOPES,
        features=FEATURES,
    )
