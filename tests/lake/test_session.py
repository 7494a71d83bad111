"""What is said when the machine lacks something."""

from __future__ import annotations

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
