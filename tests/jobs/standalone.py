"""A standalone Spark cluster on this machine: a master and one worker in processes of their own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyspark

SMALL = {
    "SPARK_HOME": str(Path(pyspark.__file__).parent),
    "SPARK_LOCAL_IP": "127.0.0.1",
    "SPARK_DAEMON_MEMORY": "256m",
    "SPARK_DAEMON_JAVA_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}
ANY_PORT = ("--host", "localhost", "--port", "0", "--webui-port", "0")
_URL = re.compile(rb"Starting Spark master at (spark://\S+)")


@contextmanager
def standalone_cluster(folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """A master, and a worker with two cores, which end with the block, executors included.

    Args:
        folder: for what both of them write.
        environment: of the worker, and so of the executors: what is installed there.

    Yields:
        The URL of the master.
    """
    place = ("--cores", "2", "--memory", "1g", "--work-dir", str(folder / "work"))
    with _daemon("master.Master", ANY_PORT, environment, folder) as master:
        assert master.stderr is not None
        lines = iter(master.stderr.readline, b"")
        url = next((found[1].decode() for found in map(_URL.search, lines) if found), None)
        assert url is not None, "the master has ended"
        # Nobody else reads what it goes on to say, and it stops where its pipe is full.
        with (folder / "master.log").open("wb") as log:
            reader = threading.Thread(target=shutil.copyfileobj, args=(master.stderr, log))
            reader.start()
            try:
                with _daemon("worker.Worker", (*ANY_PORT, *place, url), environment, folder):
                    yield url
            finally:
                _end(master)
                reader.join()


@contextmanager
def _daemon(
    name: str, arguments: tuple[str, ...], environment: Mapping[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the cluster; all that it has started ends with it."""
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("spark-class")),
                f"org.apache.spark.deploy.{name}",
                *arguments,
            ],
            stderr=subprocess.PIPE if name.startswith("master") else log,
            stdout=log,
            env={**environment, **SMALL},
            cwd=folder,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
