"""Section `spark`: the local session; on a cluster only `conf` is applied."""

from __future__ import annotations

from pydantic import Field

from llm_i2i_spark.base.sections.section import Section


class SparkConfig(Section):
    """The local session. On a cluster the session that is already active is used and only `conf` is
    applied.
    """

    master: str = Field("local[*]", description="of a local session: local[*] takes all cores")
    memory: str = Field("4g", description="driver heap of a local session")
    shuffle_partitions: int | None = Field(
        None, ge=1, description="tasks of a shuffle in a local session; None: twice the cores"
    )
    short_jobs: bool = Field(
        False,
        description=(
            "a JVM that is quick to start and never reaches full speed: for jobs of a few minutes"
        ),
    )
    delta_jar: str | None = Field(
        None, description="path of a local Delta jar, for machines without network"
    )
    conf: dict[str, str] = Field(
        default_factory=dict, description="further Spark settings, as given"
    )
