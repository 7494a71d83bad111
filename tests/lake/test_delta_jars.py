"""The jars that Spark fetches for Delta are those that were published, or no session is opened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyspark
import pytest

from llm_i2i_spark.base.errors import DamagedFileError
from llm_i2i_spark.lake.delta_jars import MODULES_OF_SPARK, known_jars, verify_jars
from llm_i2i_spark.lake.session import delta_package

OPEN = """
import sys
from pathlib import Path
from llm_i2i_spark.base.errors import DamagedFileError
from llm_i2i_spark.base.sections.spark import SparkConfig
from llm_i2i_spark.lake.session import open_session

key, value, folder = sys.argv[1:]
given = {"delta_jar": value} if key == "delta_jar" else {"conf": {key: value}}
settings = SparkConfig(master="local[1]", memory="512m", short_jobs=True, **given)
try:
    open_session(settings, Path(folder) / "spark.log")
except DamagedFileError as error:
    print(error)
"""
STORAGE = "delta-storage-4.4.0.jar"
FETCHED = f"io.delta_{STORAGE}"


def said_at_the_start(tmp_path: Path, key: str, value: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", OPEN, key, str(value), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_installed_version_is_known() -> None:
    _, artifact, version = delta_package().split(":")
    assert f"{artifact}-{version}.jar" in known_jars()
    assert f"io.delta_{artifact}-{version}.jar" in known_jars()
    assert all(len(sha256) == 64 for sha256 in known_jars().values())


def test_what_is_not_fetched_is_among_the_jars_of_spark() -> None:
    own = [path.name for path in (Path(pyspark.__file__).parent / "jars").glob("*.jar")]
    # slf4j has the interface of commons-logging, and today's RoaringBitmap its own shims.
    elsewhere = {"commons-logging": "jcl-over-slf4j", "shims": "RoaringBitmap"}
    for module in MODULES_OF_SPARK:
        name = module.partition(":")[2]
        stem = elsewhere.get(name, name)
        assert any(jar.startswith(f"{stem}-") for jar in own), module


def test_a_jar_that_is_not_known_is_not_looked_at(tmp_path: Path) -> None:
    for name in (FETCHED, "io.delta_delta-storage-9.9.9.jar"):
        (tmp_path / name).write_bytes(b"another one")
    verify_jars([tmp_path / "io.delta_delta-storage-9.9.9.jar", tmp_path / "absent.jar"])
    with pytest.raises(DamagedFileError, match=FETCHED):
        verify_jars(tmp_path.iterdir())


def test_a_wrong_jar_is_refused_before_a_jvm_starts(tmp_path: Path) -> None:
    (tmp_path / "ivy" / "jars").mkdir(parents=True)
    (tmp_path / "ivy" / "jars" / FETCHED).write_bytes(b"another one")
    (tmp_path / STORAGE).write_bytes(b"another one")
    fetched = said_at_the_start(tmp_path, "spark.jars.ivy", tmp_path / "ivy")
    assert f"The jar {tmp_path / 'ivy' / 'jars' / FETCHED} is not the one that was" in fetched
    assert f"published as {STORAGE}" in said_at_the_start(tmp_path, "delta_jar", tmp_path / STORAGE)
    assert not (tmp_path / "spark.log").exists()
