"""What is said when the machine lacks something."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llm_i2i_spark.base.errors import MissingDependencyError
from llm_i2i_spark.lake.jvm import check_java
from llm_i2i_spark.lake.session import delta_package


def test_no_java_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="install a Java 17"):
        check_java()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="JAVA_HOME"):
        check_java()


def test_a_wrong_java_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="is Java 11; set JAVA_HOME to a Java 17"):
        check_java()


def test_the_delta_package_follows_the_installed_versions() -> None:
    assert delta_package() == "io.delta:delta-spark_4.2_2.13:4.4.0"


def test_a_client_of_spark_connect_that_lacks_grpc_is_a_sentence(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
sys.modules["grpc"] = None  # as where it is not installed
from llm_i2i_spark.base.errors import MissingDependencyError
from llm_i2i_spark.base.sections.spark import SparkConfig
from llm_i2i_spark.lake.session import open_session
try:
    open_session(SparkConfig(), Path("spark.log"))
except MissingDependencyError as error:
    print(error)
"""
    (tmp_path / "client.py").write_text(program)  # under -c PySpark would take it for doctests
    done = subprocess.run(
        [sys.executable, "client.py"],
        env={**os.environ, "SPARK_REMOTE": "sc://localhost:1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "pip install 'llm-i2i-spark[connect]'" in done.stdout, done.stderr
