"""The JVM of a local session: which Java, and how it is started."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from pyspark import SparkConf, SparkContext

from llm_i2i_spark.base.errors import MissingDependencyError
from llm_i2i_spark.base.redaction import redact_value

JAVA_MAJOR = (17, 21)


def check_java() -> None:
    """Raise a sentence where no fitting Java is found.

    Raises:
        MissingDependencyError: there is no `java`, or its major version is not one Spark 4 runs on.
    """
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if not java or not Path(java).exists():
        where = f"JAVA_HOME={home} holds no bin/java" if home else "no `java` is on the PATH"
        raise MissingDependencyError(
            f"Spark needs Java 17 and {where}; install a Java 17 runtime (such as"
            " openjdk-17-jre-headless)."
        )
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    if not found or int(found.group(1)) not in JAVA_MAJOR:
        which = f"Java {found.group(1)}" if found else "an unknown Java"
        raise MissingDependencyError(
            f"Spark 4 runs on Java 17 or 21 and {java} is {which}; set JAVA_HOME to a Java 17."
        )


def start_jvm(settings: Mapping[str, str]) -> None:
    """Start the JVM without secrets, where there are some: PySpark writes every setting that it has
    by then on the command line, which all users of the machine can read. The session then gets the
    others through the bridge.
    """
    public = {key: value for key, value in settings.items() if redact_value(key, value) == value}
    if len(public) < len(settings):
        launch = SparkConf(loadDefaults=False).setAll(list(public.items()))
        SparkContext._ensure_initialized(conf=launch)


@contextmanager
def one_start_at_a_time() -> Iterator[None]:
    """Let one process of a user start its session at a time: Spark fetches packages into a folder
    that all sessions of the user share, and two that fetch at once break each other's files.
    """
    path = Path(tempfile.gettempdir()) / f"llm-i2i-{os.getuid()}-start.lock"
    with ExitStack() as stack:
        with suppress(OSError):  # nothing can be written there, or its file system has no locks
            lock = stack.enter_context(path.open("a"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def utf8_names() -> Iterator[None]:
    """Let a JVM that starts inside open files whose names have letters beyond ASCII: it takes the
    letters of names from the locale, and Python has its own way under `LC_ALL=C`.
    """
    before = os.environ.get("LC_ALL")
    named = before or os.environ.get("LC_CTYPE") or os.environ.get("LANG") or ""
    if "utf" not in named.lower():
        os.environ["LC_ALL"] = "C.UTF-8"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("LC_ALL", None)
        else:
            os.environ["LC_ALL"] = before


@contextmanager
def output_to(path: Path) -> Iterator[None]:
    """Point file descriptors 1 and 2 at a file, so that the JVM started inside inherits it for
    good.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    try:
        with path.open("ab") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, descriptor in enumerate(kept, start=1):
            os.dup2(descriptor, number)
            os.close(descriptor)
