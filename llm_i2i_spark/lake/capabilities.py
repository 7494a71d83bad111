"""What the cluster at hand can do. The one place, beside the session, that touches the platform
below the DataFrame API.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.utils import is_remote

if TYPE_CHECKING:
    from pyspark import Accumulator
    from pyspark.resource import ResourceProfile

SPARK_ERRORS = (PySparkException, Py4JError)
"""What a failed action raises: Spark's own errors, and the JVM's where the bridge does not
translate them (Delta's).
"""


def on_databricks() -> bool:
    """Whether this driver runs in a Databricks runtime, which brings its own Delta."""
    return "DATABRICKS_RUNTIME_VERSION" in os.environ


def cores(spark: SparkSession) -> int:
    """How many tasks run at once, as far as the platform tells; 2 where it does not."""
    if is_remote():
        return 2
    return max(int(spark.sparkContext.defaultParallelism), 1)


def gpu_profile(spark: SparkSession) -> ResourceProfile | None:
    """A resource profile of one GPU a task, where stage-level scheduling can give it; None
    elsewhere.

    Profiles fail in `local[n]` and are not offered over Spark Connect. Where executors own one GPU
    and tasks already ask for it (`spark.task.resource.gpu.amount`), plain scheduling does the same
    and None is returned as well.
    """
    if is_remote():
        return None
    context = spark.sparkContext
    owns = context.getConf().get("spark.executor.resource.gpu.amount")
    asks = context.getConf().get("spark.task.resource.gpu.amount")
    if str(context.master).split("[")[0] == "local" or owns is None or asks is not None:
        return None
    from pyspark.resource import ResourceProfileBuilder, TaskResourceRequests

    requests = TaskResourceRequests().cpus(1).resource("gpu", 1.0)
    profile: ResourceProfile = ResourceProfileBuilder().require(requests).build
    return profile


def has_delta(spark: SparkSession) -> bool:
    """Whether Delta's classes are in the session; over Spark Connect nobody can tell, so True."""
    if is_remote() or on_databricks():
        return True
    jvm: Any = spark.sparkContext._jvm
    # A class that is not there is taken for a package by the bridge.
    return type(jvm.io.delta.tables.DeltaTable).__name__ == "JavaClass"


def jars_of(spark: SparkSession) -> list[Path]:
    """The jars on this machine that a session was started with, those of its packages included."""
    named = spark.sparkContext.getConf().get("spark.jars", "") or ""
    return [Path(unquote(urlsplit(uri).path)) for uri in named.split(",") if uri]


def has_graphframes_jvm(spark: SparkSession) -> bool:
    """Whether the JVM half of GraphFrames is on the classpath: motif queries, communities."""
    if is_remote():
        return False
    try:
        jvm: Any = spark.sparkContext._jvm
        jvm.java.lang.Class.forName("org.graphframes.GraphFrame")
        return True
    except SPARK_ERRORS:
        return False


def task_counts(spark: SparkSession, seen: dict[int, tuple[int, int]]) -> tuple[int, int] | None:
    """Finished and known tasks of this session's jobs since `seen` was empty; None where the
    platform does not tell.

    Args:
        seen: finished and total tasks by Spark stage id; updated in place.
    """
    if is_remote():
        return None
    try:
        tracker: Any = spark.sparkContext.statusTracker()
        active = set(tracker.getActiveStageIds())
        for stage_id in active:
            info = tracker.getStageInfo(stage_id)
            if info is not None:
                seen[stage_id] = (info.numCompletedTasks, info.numTasks)
    except (*SPARK_ERRORS, AttributeError, OSError):
        return None
    for stage_id in seen.keys() - active:
        seen[stage_id] = (seen[stage_id][1], seen[stage_id][1])
    return sum(done for done, _ in seen.values()), sum(total for _, total in seen.values())


def cancel_jobs(spark: SparkSession) -> None:
    """End the jobs that run in this session's JVM, where the platform lets its driver do so."""
    if is_remote():
        return
    # After Ctrl-C in a call, the bridge's next one may find its connection closed.
    for _ in range(3):
        with suppress(*SPARK_ERRORS, OSError):
            spark.sparkContext.cancelAllJobs()
            return


def token_counter(spark: SparkSession) -> Accumulator[int] | None:
    """A sum that tasks add to and the driver reads; None over Spark Connect, which has none. What a
    task that failed had added does not count, what one that ran twice added counts twice.
    """
    return None if is_remote() else spark.sparkContext.accumulator(0)


def jdbc_connection(spark: SparkSession, url: str, driver: str) -> Any | None:
    """A `java.sql.Connection` of the driver's JVM, for the statements that no DataFrame can make.

    Args:
        spark: the session, whose jars hold the JDBC driver.
        url: of the database, `jdbc:...`.
        driver: class name of the JDBC driver.

    Returns:
        None over Spark Connect, which shows no JVM.

    Raises:
        Py4JError: the class is not on the classpath, or the database cannot be reached.
    """
    if is_remote():
        return None
    jvm: Any = spark.sparkContext._jvm
    # Spark's registry finds drivers that came with the session's own jars; java.sql alone does not.
    jvm.org.apache.spark.sql.execution.datasources.jdbc.DriverRegistry.register(driver)
    return jvm.java.sql.DriverManager.getConnection(url)
