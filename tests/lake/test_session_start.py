"""Sessions that start at once, and Ctrl-C in a session that was started here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.lake.session import session_settings

pytestmark = [pytest.mark.spark, pytest.mark.faults]

OPEN = """
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from llm_i2i_spark.base.sections.spark import SparkConfig
from llm_i2i_spark.lake.session import open_session, session_settings

folder = Path(sys.argv[1])
packages = {"spark.jars.ivy": str(folder / "packages")} if "fetch" in sys.argv else {}
settings = SparkConfig(master="local[1]", memory="512m", short_jobs=True, conf=packages)
spark = open_session(settings, folder / "spark.log")
"""

INTERRUPTED_CALLS = """
import os, random, signal, threading, time

random.seed(7)
for _ in range(200):
    pause = random.random() * 0.003
    sender = threading.Thread(
        target=lambda: (time.sleep(pause), os.kill(os.getpid(), signal.SIGINT))
    )
    try:
        sender.start()
        while True:
            with session_settings(spark):
                spark.conf.get("spark.sql.shuffle.partitions", None)
    except KeyboardInterrupt:
        print("interrupted")
    sender.join()
"""

INTERRUPTED_JOB = """
import os, signal, threading, time

jobs = spark.sparkContext.statusTracker().getActiveJobsIds

def wait_for(are_some):
    ends = time.monotonic() + 60
    while bool(list(jobs())) != are_some and time.monotonic() < ends:
        time.sleep(0.05)

def interrupt():
    wait_for(True)
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt, daemon=True).start()
try:
    with session_settings(spark):
        spark.range(1).selectExpr("java_method('java.lang.Thread', 'sleep', 600000L)").collect()
except KeyboardInterrupt:
    wait_for(False)
    print("jobs:", list(jobs()))
os._exit(0)
"""


@contextmanager
def _python(folder: Path, program: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A program in a process of its own, which ends with the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()


def test_two_first_sessions_at_once_both_start(tmp_path: Path) -> None:
    """Fetching the Delta jar into a folder that is empty before."""
    show = OPEN + "print(spark.range(7).count())"
    with _python(tmp_path, show, "fetch") as one, _python(tmp_path, show, "fetch") as other:
        ends = [process.communicate(timeout=300) for process in (one, other)]
    assert [out for out, _ in ends] == ["7\n", "7\n"], ends


def test_ctrl_c_in_a_call_to_the_jvm_is_never_another_error(tmp_path: Path) -> None:
    with _python(tmp_path, OPEN + INTERRUPTED_CALLS) as process:
        out, err = process.communicate(timeout=300)
    assert out.split() == ["interrupted"] * 200, err[-3000:]


def test_ctrl_c_ends_the_job_too(tmp_path: Path) -> None:
    with _python(tmp_path, OPEN + INTERRUPTED_JOB) as process:
        out, err = process.communicate(timeout=300)
    assert out == "jobs: []\n", err[-3000:]


def _fail_in(spark: SparkSession) -> None:
    with session_settings(spark):
        raise ConfigError("of its own")


def _fail_after_ctrl_c_in(spark: SparkSession) -> None:
    with session_settings(spark):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as stopped:
            raise OSError("as of a bridge that cannot tidy up") from stopped


def test_only_a_ctrl_c_within_the_work_ends_it(spark: SparkSession) -> None:
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:  # a notebook that goes on
        with pytest.raises(ConfigError):
            _fail_in(spark)
    with pytest.raises(KeyboardInterrupt):
        _fail_after_ctrl_c_in(spark)
