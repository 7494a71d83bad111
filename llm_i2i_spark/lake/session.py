"""The Spark session: adopted where one is active, built with Delta for a local run, its noise kept
in a log file.

The only module that sets `spark.jars.packages` for Delta and the only one that starts or stops a
session.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

from pyspark.sql import SparkSession

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.errors import DamagedFileError, MissingDependencyError, hides_interrupt
from llm_i2i_spark.base.redaction import LOGINS, SECRET_NAMES
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.base.sections.spark import SparkConfig
from llm_i2i_spark.lake.capabilities import (
    SPARK_ERRORS,
    cancel_jobs,
    has_delta,
    jars_of,
    on_databricks,
)
from llm_i2i_spark.lake.connect_client import REMOTE, given_session
from llm_i2i_spark.lake.delta_jars import MODULES_OF_SPARK, fetched_jars, verify_jars
from llm_i2i_spark.lake.jvm import check_java, one_start_at_a_time, output_to, start_jvm, utf8_names
from llm_i2i_spark.lake.location import local_root
from llm_i2i_spark.lake.session_options import session_options

LOG_FILE = "spark.log"

_JAVA_OPTIONS = "-Dio.netty.tryReflectionSetAccessible=true -Duser.timezone=UTC"
_LOCAL_SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Delta reads its own log in 50 tasks by default, which costs ten seconds a command on a laptop.
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
    # Parquet reads a flipped bit silently unless its page checksums are verified.
    "spark.hadoop.parquet.page.verify-checksum.enabled": "true",
    # What events, plans and the web page show of settings and of paths.
    "spark.redaction.regex": f"{SECRET_NAMES}|{LOGINS}",
    "spark.sql.redaction.string.regex": LOGINS,
    # Jobs in a row, nobody waits for a pause: the collector that takes the least time of the cores.
    "spark.driver.extraJavaOptions": f"{_JAVA_OPTIONS} -XX:+UseParallelGC",
}
_SESSION_SETTINGS = ("spark.databricks.delta.snapshotPartitions",)
"""Those of them that a session which is already active takes, where nobody has set them."""
_STARTED_BY = frozenset({"PYSPARK_GATEWAY_PORT", REMOTE})
"""What spark-submit, and a server of Spark Connect, are known by before a session is active."""
_CHECKSUMS = {
    "parquet.page.write-checksum.enabled": "true",
    "parquet.page.verify-checksum.enabled": "true",
}
"""What every session must do with the pages of Parquet files."""
_RESULT_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "false",
}
"""What decides the rows of a result, and so must be the same in every session."""
# Most of a short job's time goes into compiling code that runs once (the JVM's second compiler and
# Spark's generated classes), and into jobs over a handful of rows: each shuffle is one of its own
# where plans adapt to what is shuffled.
_SHORT_JOB_SETTINGS = {
    "spark.driver.extraJavaOptions": f"{_JAVA_OPTIONS} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.databricks.delta.snapshotPartitions": "1",
}


def open_session(settings: SparkConfig, log: Path) -> SparkSession:
    """The active session where there is one (Databricks, notebook, spark-submit), else a local one
    with Delta.

    Args:
        settings: section `spark`.
        log: file for the output of a session that is built here.

    Raises:
        MissingDependencyError: Java is missing or too old, or the Delta jar cannot be found or
            fetched, or the active session has none, or a client of Spark Connect lacks a package or
            finds no server.
        DamagedFileError: a jar is not what was published under its name. Sessions that were active
            before are not looked at.
    """
    active = SparkSession.getActiveSession()
    if active is None and (on_databricks() or _STARTED_BY.intersection(os.environ)):
        active = given_session()
    if active is not None:
        log_message("using the Spark session that is active")
        return _adopt(active, settings)
    log_message(f"starting Spark; its own words go to {log}")
    check_java()
    # PySpark logs every failed query with the JVM's whole stack to standard error; the error itself
    # is raised all the same.
    logging.getLogger("DataFrameQueryContextLogger").disabled = True
    return _build_local(settings, log)


def _adopt(active: SparkSession, settings: SparkConfig) -> SparkSession:
    """A session that somebody else started, with what can still be set in it."""
    if not has_delta(active):
        raise MissingDependencyError(
            "The active Spark session has no Delta: start it with --packages"
            f" {delta_package()} --conf spark.sql.extensions="
            f"{_LOCAL_SETTINGS['spark.sql.extensions']}"
            " --conf spark.sql.catalog.spark_catalog="
            f"{_LOCAL_SETTINGS['spark.sql.catalog.spark_catalog']}."
        )
    for key in _SESSION_SETTINGS:
        with suppress(*SPARK_ERRORS):
            if active.conf.get(key, None) is None:
                active.conf.set(key, _LOCAL_SETTINGS[key])
    for key, value in settings.conf.items():
        active.conf.set(key, value)
    for key, value in _CHECKSUMS.items():
        _require(active, key, value)
    return active


@contextmanager
def session_settings(spark: SparkSession) -> Iterator[None]:
    """Make the session one in which results are what they are in any other, for the length of the
    block: times are UTC, casts and names follow Spark's defaults. What its owner had set comes back
    afterwards, and where Ctrl-C ends the block its jobs end with it: a notebook's session lives on.

    Raises:
        MissingDependencyError: the platform does not allow it.
    """
    handled = sys.exc_info()[1]  # its caller may be one that goes on after a Ctrl-C
    with session_options(spark, _RESULT_SETTINGS):
        for key, value in _RESULT_SETTINGS.items():
            _require(spark, key, value)
        try:
            yield
        except BaseException as error:
            if not hides_interrupt(error, handled):
                raise
            cancel_jobs(spark)
            raise KeyboardInterrupt from error


def _require(spark: SparkSession, key: str, value: str) -> None:
    """Set an option of the session, unless it, or the cluster's own configuration, has it so.

    Raises:
        MissingDependencyError: the platform does not allow it.
    """
    if value in (spark.conf.get(key, None), spark.conf.get(f"spark.hadoop.{key}", None)):
        return
    try:
        spark.conf.set(key, value)
    except SPARK_ERRORS as error:
        raise MissingDependencyError(
            f"The active Spark session does not let {key} be set, and results rely on it: set"
            f" {key}={value} in the configuration of the cluster."
        ) from error


def delta_package() -> str:
    """The Maven coordinate of the Delta jar for the installed delta-spark and pyspark."""
    delta = version("delta-spark")
    if delta.startswith("4.0."):  # later names say for which Spark the jar is
        return f"io.delta:delta-spark_2.13:{delta}"
    spark = ".".join(version("pyspark").split(".")[:2])
    return f"io.delta:delta-spark_{spark}_2.13:{delta}"


def _build_local(config: SparkConfig, log: Path) -> SparkSession:
    settings = {
        **_LOCAL_SETTINGS,
        **(_SHORT_JOB_SETTINGS if config.short_jobs else {}),
        **_delta_jar(config),
    }
    cores = os.cpu_count() or 2
    settings["spark.sql.shuffle.partitions"] = str(config.shuffle_partitions or 2 * cores)
    settings["spark.driver.memory"] = config.memory
    settings["spark.sql.warehouse.dir"] = str(log.parent / "spark-warehouse")
    settings.update(config.conf)
    # Executors must run the interpreter that has this package, not the first `python3` of the PATH.
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    builder = SparkSession.builder.appName("llm-i2i").master(config.master)
    for key, value in settings.items():
        builder = builder.config(key, value)
    # Jars that were fetched before are verified before they are loaded, others right afterwards.
    known = [Path(config.delta_jar)] if config.delta_jar else fetched_jars(settings)
    verify_jars(known)
    try:
        with one_start_at_a_time(), interrupt_handler_kept(), output_to(log), utf8_names():
            start_jvm(settings)
            spark = builder.getOrCreate()
    except Exception as error:
        raise MissingDependencyError(_start_failure(log, error)) from error
    atexit.register(_stop_quietly, spark)
    try:
        verify_jars(path for path in jars_of(spark) if path not in known)
    except DamagedFileError:
        _stop(spark)
        raise
    return spark


@contextmanager
def interrupt_handler_kept() -> Iterator[None]:
    """Let Ctrl-C be the caller's own affair after a session was started in the block.

    PySpark's handler cancels all jobs from within the signal. It so speaks over the connection that
    the interrupted call is using, and the KeyboardInterrupt comes out of that call as an error of
    the bridge, which may mean anything. `session_settings` cancels when it has come.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _delta_jar(config: SparkConfig) -> dict[str, str]:
    if config.delta_jar is None:
        return {
            "spark.jars.packages": delta_package(),
            "spark.jars.excludes": ",".join(MODULES_OF_SPARK),
        }
    if not Path(config.delta_jar).is_file():
        raise MissingDependencyError(
            f"spark.delta_jar names {config.delta_jar}, which is not a file."
        )
    return {"spark.jars": config.delta_jar}


def log_file(lake: LakeConfig) -> Path:
    """Where Spark's own output goes: `spark.log` under a local `lake.root`, else in the working
    folder; in the temporary folder where nothing can be written there, as of a read-only lake.
    """
    log = ((local_root(lake) or Path(".")) / LOG_FILE).resolve()
    with suppress(OSError):
        log.parent.mkdir(parents=True, exist_ok=True)
    if os.access(log if log.exists() else log.parent, os.W_OK):
        return log
    return Path(tempfile.gettempdir()) / f"llm-i2i-{os.getuid()}-{LOG_FILE}"


def _start_failure(log: Path, error: Exception) -> str:
    said = log.read_text(encoding="utf-8", errors="replace")[-200_000:]
    if (
        "unresolved dependency" in said
        or "UNRESOLVED DEPENDENCIES" in said
        or "unresolved dependencies" in str(error)
    ):
        return (
            f"Spark could not fetch {delta_package()}; connect to a Maven repository once, or put"
            " the jar on this machine and name it in spark.delta_jar."
        )
    return f"Spark did not start ({str(error).splitlines()[0][:120]}); its own words are in {log}."


def _stop_quietly(spark: SparkSession) -> None:
    # At exit the JVM may be gone already; a thread with a limit keeps a dead one from holding the
    # process.
    stopper = threading.Thread(target=_stop, args=(spark,), daemon=True)
    stopper.start()
    stopper.join(timeout=20)


def _stop(spark: SparkSession) -> None:
    with suppress(*SPARK_ERRORS, OSError):
        spark.stop()
