"""One Spark session and one lake folder for the whole test run; where the measuring data is."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest
from pyspark.sql import SparkSession

from llm_i2i_spark.config.files import load_config

SHARED = Path(__file__).resolve().parents[2] / "shared"
GB_PER_WORKER = 6
MARKED_BY_FIXTURE = {"spark": "spark", "data_folder": "data", "golden_folder": "data"}

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell starts what it puts in the background deaf to Ctrl-C, and children would be deaf too.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what takes a fixture by what the fixture needs, so that no test is missed by `-m`."""
    for item in items:
        for fixture in MARKED_BY_FIXTURE.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(MARKED_BY_FIXTURE[fixture])


def pytest_xdist_auto_num_workers() -> int:
    """As many processes as have a core and the memory for a Spark session and a model each; two at
    least.
    """
    fit = psutil.virtual_memory().total // (GB_PER_WORKER << 30)
    return max(2, min(os.cpu_count() or 2, fit))


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> SparkSession:
    """A local session with Delta, built by the package's own code."""
    from llm_i2i_spark.lake.session import open_session

    root = tmp_path_factory.mktemp("session")
    settings = [
        f"lake.root={root}",
        "spark.master=local[2]",
        "spark.memory=2g",
        "spark.shuffle_partitions=2",
        "spark.short_jobs=true",
    ]
    # A short job as any other, but one whose code is worth to be compiled well: it runs all tests.
    java = "-Dio.netty.tryReflectionSetAccessible=true -Duser.timezone=UTC -XX:+UseSerialGC"
    config = load_config([], settings).spark
    config = config.model_copy(update={"conf": {"spark.driver.extraJavaOptions": java}})
    return open_session(config, root / "spark.log")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder with the public logs that this project is measured on; tests that want it are
    skipped without it.
    """
    if not (SHARED / "data").is_dir():
        pytest.skip("the measuring data (../shared/data) is not on this machine")
    return SHARED / "data"


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    """The folder with golden results; tests that want it are skipped without it."""
    if not (SHARED / "golden").is_dir():
        pytest.skip("the golden results (../shared/golden) are not on this machine")
    return SHARED / "golden"
