"""Lakes whose paths hold blanks and letters beyond ASCII, also where the locale knows none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.datasets.tables import write_synthetic
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lm.checkpoint import verify_checkpoint
from tests.sft.conftest import job_command, job_environment, write_config, write_lake

pytestmark = [pytest.mark.faults, pytest.mark.e2e]
NAME = "läke é 日本 b"


def _run(command: list[str], environment: dict[str, str]) -> None:
    plain = {key: value for key, value in environment.items() if key not in ("LANG", "LC_CTYPE")}
    done = subprocess.run(
        command, env={**plain, "LC_ALL": "C"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_spark_reads_and_writes_them_under_a_plain_locale(tmp_path: Path) -> None:
    interactions, items = write_synthetic(tmp_path / NAME / "raw", 40, 120, 7)
    root = tmp_path / NAME / "lake"
    settings = [
        f"lake.root={root}",
        f"ingest.interactions={interactions}",
        f"ingest.items={items}",
        "spark.master=local[1]",
        "spark.short_jobs=true",
    ]
    arguments = [part for setting in settings for part in ("--set", setting)]
    command = [sys.executable, "-m", "llm_i2i_spark", "run", "--variants", "real", "--to", "ingest"]
    _run([*command, *arguments], dict(os.environ))
    found = DeltaRsLake(LakeConfig(root=str(root))).read("items", None, ["item_id"])
    assert len(found) == 120
    assert (root / "spark.log").is_file()


@pytest.mark.lm
def test_models_are_trained_and_kept_in_them(tmp_path: Path) -> None:
    root = write_lake(tmp_path / NAME / "lake")
    config = write_config(root, {"epochs": 1, "discriminator": {"epochs": 1, "batch_size": 16}})
    _run(job_command(config), job_environment())
    lake = DeltaRsLake(LakeConfig(root=str(root)))
    rows = lake.read("checkpoints", None, ["role", "path", "model_digest"]).to_pylist()
    assert {row["role"] for row in rows} == {"generator", "discriminator"}
    for row in rows:
        assert verify_checkpoint(Path(row["path"]))["model_digest"] == row["model_digest"]
