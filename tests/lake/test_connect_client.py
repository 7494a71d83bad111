"""Whether a server of Spark Connect is there, before PySpark waits for it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from llm_i2i_spark.base.errors import MissingDependencyError
from llm_i2i_spark.lake.connect_client import require_server

pytest.importorskip("grpc", reason="extra connect is not installed")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_a_server_that_does_not_answer_is_named() -> None:
    url = f"sc://127.0.0.1:{free_port()}/;token=hidden"
    with pytest.raises(MissingDependencyError, match=r"answers at 127\.0\.0\.1:\d+ ") as told:
        require_server({"SPARK_REMOTE": url})
    assert "hidden" not in str(told.value)
    with socket.create_server(("127.0.0.1", 0)) as server:
        require_server({"SPARK_REMOTE": f"sc://127.0.0.1:{server.getsockname()[1]}"})


@pytest.mark.parametrize("others", [{}, {"SPARK_REMOTE": "local[2]"}, {"https_proxy": "http://p"}])
def test_what_is_not_asked_for_directly_is_not_looked_at(others: dict[str, str]) -> None:
    url = {"SPARK_REMOTE": f"sc://127.0.0.1:{free_port()}"} if "https_proxy" in others else {}
    require_server({**url, **others})


@pytest.mark.parametrize("url", ["sc://", "sc://host:1/path", "sc://h:port"])
def test_an_address_that_is_none_is_a_sentence(url: str) -> None:
    with pytest.raises(MissingDependencyError, match="SPARK_REMOTE"):
        require_server({"SPARK_REMOTE": url})


def test_a_command_ends_with_the_sentence(tmp_path: Path) -> None:
    (tmp_path / "clicks.csv").write_text("user_id,item_id\nu,i\n")
    settings = (f"lake.root={tmp_path}/lake", f"ingest.interactions={tmp_path}/clicks.csv")
    options = [part for one in settings for part in ("--set", one)]
    done = subprocess.run(
        [sys.executable, "-m", "llm_i2i_spark", "ingest", *options],
        env={**os.environ, "SPARK_REMOTE": f"sc://127.0.0.1:{free_port()}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "No server of Spark Connect answers" in done.stderr
