"""The lake as GraphFrames, where the JVM package of GraphFrames is on the cluster: motif queries,
community detection.

Nothing else needs that package. It is added to a session by
`spark.jars.packages=io.graphframes:graphframes-spark4_2.13:<version>` (on Databricks ML runtimes it
is there).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import MissingDependencyError
from llm_i2i_spark.lake.capabilities import has_graphframes_jvm
from llm_i2i_spark.lake.tables import Lake

if TYPE_CHECKING:
    from graphframes import GraphFrame


def interaction_graph(lake: Lake, variant: str, version: int | None = None) -> GraphFrame:
    """Users and items as vertices, interactions as edges from user to item.

    `interaction_graph(lake, "llm_i2i").find("(u)-[a]->(i); (v)-[b]->(i)")` are the pairs of users
    who share an item.

    Args:
        lake: table `fused` is read.
        variant: what the rows are made from.
        version: of the table; None for the latest.

    Returns:
        Vertices `id, kind` (`user:...` and `item:...`, since a user and an item may have the same
        id), edges `src, dst, weight, source`.

    Raises:
        MissingDependencyError: the JVM half of GraphFrames is missing.
        UserError: the table is missing.
    """
    rows = lake.read("fused", version).where(F.col("variant") == variant)
    user, item = F.concat(F.lit("user:"), "user_id"), F.concat(F.lit("item:"), "item_id")
    edges = rows.select(user.alias("src"), item.alias("dst"), "weight", "source")
    users = edges.select(F.col("src").alias("id"), F.lit("user").alias("kind")).distinct()
    items = edges.select(F.col("dst").alias("id"), F.lit("item").alias("kind")).distinct()
    return _graph(lake, users.unionByName(items), edges)


def item_graph(
    lake: Lake, variant: str, backbone: str = "swing", version: int | None = None
) -> GraphFrame:
    """Items as vertices, similarities as edges: `item_graph(lake,
    "llm_i2i").labelPropagation(maxIter=5)` finds communities.

    Args:
        lake: table `item_similarity` is read.
        variant: what the rows are made from.
        backbone: what they are made with.
        version: of the table; None for the latest.

    Returns:
        Vertices `id`, edges `src, dst, similarity, support, synthetic_share`.

    Raises:
        MissingDependencyError: the JVM half of GraphFrames is missing.
        UserError: the table is missing.
    """
    of_index = (F.col("variant") == variant) & (F.col("backbone") == backbone)
    rows = lake.read("item_similarity", version).where(of_index)
    values = ("similarity", "support", "synthetic_share")
    edges = rows.select(F.col("item_id").alias("src"), F.col("neighbor_id").alias("dst"), *values)
    ends = edges.select(F.col("src").alias("id")).unionByName(
        edges.select(F.col("dst").alias("id"))
    )
    return _graph(lake, ends.distinct(), edges)


def _graph(lake: Lake, vertices: DataFrame, edges: DataFrame) -> GraphFrame:
    if not has_graphframes_jvm(lake.spark):
        raise MissingDependencyError(
            "GraphFrame objects need the JVM package of GraphFrames: start Spark with"
            " spark.jars.packages=io.graphframes:graphframes-spark4_2.13:0.10.0 or newer;"
            " everything else works without it."
        )
    from graphframes import GraphFrame

    return GraphFrame(vertices, edges)
