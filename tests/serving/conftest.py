"""Servers and drivers that the tests of serving share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from llm_i2i_spark.lake.capabilities import SPARK_ERRORS
from llm_i2i_spark.serving.jdbc import DIALECTS
from tests.serving.servers import postgresql_server, redis_server


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A Redis server."""
    with redis_server(tmp_path_factory.mktemp("redis")) as port:
        yield port


@pytest.fixture(scope="session")
def postgresql_port() -> Iterator[int]:
    """A PostgreSQL server."""
    with postgresql_server() as port:
        yield port


@pytest.fixture(scope="session")
def jdbc_drivers(spark: SparkSession) -> SparkSession:
    """The session with the JDBC drivers of all databases, fetched from Maven once."""
    for dialect in DIALECTS.values():
        try:
            spark.sql(f"ADD JAR ivy://{dialect.package}?transitive=false")
        except SPARK_ERRORS as error:
            pytest.skip(f"{dialect.package} cannot be fetched: {str(error).splitlines()[0]}")
    return spark
