"""The session of a client of Spark Connect, or of whatever started this process with one."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from pyspark.sql import SparkSession

from llm_i2i_spark.base.errors import MissingDependencyError
from llm_i2i_spark.lake.capabilities import SPARK_ERRORS
from llm_i2i_spark.lake.spark_errors import spark_reason

REMOTE = "SPARK_REMOTE"
ANSWER_SECONDS = 10.0


def given_session() -> SparkSession:
    """The session that the environment leads to: of `spark-submit`, Databricks, or a server of
    Spark Connect.

    Raises:
        MissingDependencyError: no server answers there, or a client of Spark Connect lacks a
            package.
    """
    try:
        require_server(os.environ)
        return SparkSession.builder.getOrCreate()
    except ImportError as error:
        raise MissingDependencyError(
            f"Spark Connect needs more than is installed ({spark_reason(error)}): pip install"
            " 'llm-i2i-spark[connect]'."
        ) from error


def require_server(environment: Mapping[str, str]) -> None:
    """See that something listens where `SPARK_REMOTE` says, before PySpark asks it for ten minutes.
    What is behind a proxy is left to PySpark.

    Args:
        environment: of the process.

    Raises:
        MissingDependencyError: nothing does, or it is no address.
    """
    url = environment.get(REMOTE, "")
    behind_proxy = any(name.lower() in ("https_proxy", "grpc_proxy") for name in environment)
    if not url.startswith("sc://") or behind_proxy:
        return
    from pyspark.sql.connect.client import DefaultChannelBuilder

    try:
        host, port = DefaultChannelBuilder(url).endpoint.rsplit(":", 1)
    except (ValueError, *SPARK_ERRORS) as error:
        raise MissingDependencyError(
            f"{REMOTE} is no address of Spark Connect ({spark_reason(error)}): it has the form"
            " sc://HOST:15002."
        ) from error
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
    except OSError as error:
        raise MissingDependencyError(
            f"No server of Spark Connect answers at {host}:{port} ({error}): start it, or set"
            f" {REMOTE} to where it is."
        ) from error
