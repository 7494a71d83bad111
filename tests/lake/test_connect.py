"""A session over Spark Connect, whose server has Delta but not Delta's plugin for Connect: the
stages make the tables that they make in any other session, those of the language models too.

Stages up to `CONNECT_LAST` are run (`index` without it; `evaluate` for all of them).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.spark_daemons import connect_server

PROGRAM = """
import json, random, sys
import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql.connect.session import SparkSession as RemoteSession
from llm_i2i_spark import Project

draw = random.Random(0)
rows = [
    (f"u{user}", f"i{item}", 1_400_000_000 + place)
    for user in range(30)
    for place, item in enumerate(draw.sample(range(12), 5))
]
clicks = pd.DataFrame(rows, columns=["user_id", "item_id", "ts"])
items = pd.DataFrame([(f"i{n}", f"thing {n % 4}") for n in range(12)], columns=["item_id", "title"])
tiny = {"layers": 1, "hidden_size": 16, "heads": 2, "intermediate_size": 32, "text_dims": 8}
few = {"epochs": 2, "least_steps": 0, "discriminator": {"epochs": 1}}
buckets = {"partitions": 2}
settings = {
    "sft": {**tiny, **few}, "generate": {"per_user": 4, **buckets}, "discriminate": buckets
}
project = Project(sys.argv[1], interactions=clicks, items=items, settings=settings)
run = project.run(variants=("llm_i2i",), last=sys.argv[2])
assert isinstance(SparkSession.getActiveSession(), RemoteSession)
print(json.dumps({outcome.stage: outcome.rows for outcome in run.stages}))
print(project.table("interactions").count())
project.forget("u1", yes=True)
print(project.table("interactions").where("user_id = 'u1'").count())
"""


@pytest.mark.e2e
def test_stages_and_erasure_work_over_spark_connect(tmp_path: Path) -> None:
    pytest.importorskip("grpc", reason="extra connect is not installed")
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).resolve().parents[2]), *sys.path]),
        "PYSPARK_PYTHON": sys.executable,
    }
    last = os.environ.get("CONNECT_LAST", "index")
    with connect_server(tmp_path, env) as url:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(tmp_path / "lake"), last],
            env={**env, "SPARK_REMOTE": url},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    rows, before, after = map(json.loads, done.stdout.splitlines())
    assert rows["ingest"]["interactions"] == before == 150
    assert rows["sft"] == {"checkpoints": 2}
    assert rows["generate"]["candidates"] == 30 * 4
    # Proposals, and the interactions that a model may see but the first of each user.
    assert rows["discriminate"]["scored"] == 30 * 4 + 4 * 30
    assert rows["fuse"]["fused"] > 4 * 30
    assert last in rows
    assert after == 0
