"""A command with secrets in its settings and its environment: no process shows them, no file has
them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

pytestmark = pytest.mark.e2e

CANARY = "c4n4ry"
LOG = "user_id,item_id,ts\n" + "".join(
    f"u{user},i{item},{1_394_618_400 + item}\n" for user in range(3) for item in range(4)
)


def texts(folder: Path) -> dict[str, bytes]:
    """Every file's bytes, those of Spark's events unpacked."""
    found = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            content = file.read_bytes()
            if file.suffix == ".zstd":
                content = pa.CompressedInputStream(pa.BufferReader(content), "zstd").read()
            found[str(file.relative_to(folder))] = content
    return found


def test_secrets_stay_where_they_were_given(tmp_path: Path) -> None:
    lake, given = tmp_path / "lake", tmp_path / "given"
    for folder in (lake, given, tmp_path / "tmp", tmp_path / "events"):
        folder.mkdir()
    (given / "clicks.csv").write_text(LOG)
    conf = {
        "spark.hadoop.fs.s3a.secret.key": CANARY,
        "spark.hadoop.fs.azure.account.key.x": f"{CANARY}==",
        "spark.hadoop.store": f"ftp://me:{CANARY}@host/",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": str(tmp_path / "events"),
    }
    settings = {
        "lake": {"root": str(lake)},
        "ingest": {"interactions": str(given / "clicks.csv")},
        "spark": {"master": "local[2]", "memory": "1g", "short_jobs": True, "conf": conf},
    }
    (given / "mine.yaml").write_text(json.dumps(settings))
    process = subprocess.Popen(
        [sys.executable, "-m", "llm_i2i_spark", "ingest", "--config", str(given / "mine.yaml")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path / "tmp",
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp"), "STORE_PASSWORD": CANARY},
    )
    commands: set[str] = set()
    while process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            try:
                commands.add(" ".join(child.cmdline()))
            except psutil.Error:
                continue
        time.sleep(0.2)
    said = process.communicate()[0]
    assert process.returncode == 0, said[-2000:]
    assert any("SparkSubmit" in command for command in commands)
    assert CANARY not in said + " ".join(commands)
    found = {name for name, content in texts(tmp_path).items() if CANARY.encode() in content}
    assert found == {"given/mine.yaml"}
    events = b"".join(texts(tmp_path / "events").values())
    assert b"fs.azure.account.key.x" in events  # it came to the session, and is masked there
    assert any(name.startswith("interactions/_delta_log") for name in texts(lake))
