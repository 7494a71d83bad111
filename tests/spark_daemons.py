"""Spark's daemons on this machine, each a process of its own: master and worker of a standalone
cluster, a server of Spark Connect.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyspark

from llm_i2i_spark.lake.session import delta_package
from llm_i2i_spark.training_job.launch import end_with_parent

SMALL = {
    "SPARK_HOME": str(Path(pyspark.__file__).parent),
    "SPARK_LOCAL_IP": "127.0.0.1",
    "SPARK_DAEMON_MEMORY": "256m",
    "SPARK_DAEMON_JAVA_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}
ANY_PORT = ("--host", "localhost", "--port", "0", "--webui-port", "0")
DEPLOY = "org.apache.spark.deploy"
QUICK = (
    "spark.ui.enabled=false",
    "spark.sql.shuffle.partitions=2",
    "spark.sql.codegen.wholeStage=false",
    "spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
)
"""What lets a small session be quick; nothing of it is needed."""


@contextmanager
def standalone_cluster(folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """A master, and a worker with two cores, which end with the block, executors included.

    Args:
        folder: for what both of them write.
        environment: of both, and so of the executors: what is installed there.

    Yields:
        The URL of the master.
    """
    place = ("--cores", "2", "--memory", "1g", "--work-dir", str(folder / "work"))
    master = ("spark-class", f"{DEPLOY}.master.Master", *ANY_PORT)
    with _daemon(master, environment, folder, r"Starting Spark master at (\S+)") as url:
        worker = ("spark-class", f"{DEPLOY}.worker.Worker", *ANY_PORT, *place, url)
        with _daemon(worker, environment, folder, "Successfully registered with (master)"):
            yield url


@contextmanager
def connect_server(folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """A server of Spark Connect with Delta, and without Delta's plugin for such servers.

    Args:
        folder: for what it writes.
        environment: of the server, and so of its Python workers.

    Yields:
        Its URL.
    """
    settings = (
        "spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog=org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.connect.grpc.binding.address=127.0.0.1",
        "spark.connect.grpc.binding.port=0",
        *QUICK,
    )
    command = [
        *("spark-submit", "--class", "org.apache.spark.sql.connect.service.SparkConnectServer"),
        *("--master", "local[2]", "--packages", delta_package()),
        *(word for setting in settings for word in ("--conf", setting)),
        "spark-internal",
    ]
    started = r"Spark Connect server started at: \S+:(\d+)"
    heap = {"SPARK_DAEMON_MEMORY": "1g"}
    with _daemon(command, {**environment, **heap}, folder, started) as port:
        yield f"sc://127.0.0.1:{port}"


@contextmanager
def _daemon(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, started: str
) -> Iterator[str]:
    """A process, from when it has logged that it works until the end of the block; all that it has
    started ends with it.

    Yields:
        The group of the pattern `started` in its log.
    """
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name(command[0])), *command[1:]],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env={**SMALL, **environment},
        cwd=folder,
        start_new_session=True,
        preexec_fn=end_with_parent,  # also where the tests themselves are killed
        text=True,
    )
    assert process.stderr is not None
    said = []
    try:
        for line in process.stderr:
            said.append(line)
            if found := re.search(started, line):
                break
        else:
            raise AssertionError("".join(said)[-8000:])
        # A process whose output nobody reads any more stops where the pipe is full.
        with (folder / f"{process.pid}.log").open("w") as log:
            reader = threading.Thread(target=shutil.copyfileobj, args=(process.stderr, log))
            reader.start()
            try:
                yield found[1]
            finally:
                _end(process)
                reader.join()
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
