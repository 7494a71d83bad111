"""GraphFrame objects where the JVM package is, and a sentence where it is not."""

from __future__ import annotations

import pytest

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.i2i.graph import interaction_graph, item_graph
from llm_i2i_spark.lake.capabilities import has_graphframes_jvm
from llm_i2i_spark.lake.tables import Lake
from tests.stage_runs import put_rows

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def lake(spark, tmp_path_factory) -> Lake:
    config = load_config([], [f"lake.root={tmp_path_factory.mktemp('graph')}"])
    lake = Lake(spark, config.lake)
    rows = [
        ("real", user, item, 1.0, "real", None, None, 0)
        for user, item in (("a", "1"), ("a", "2"), ("b", "1"), ("b", "2"))
    ]
    similar = [("real", "swing", "1", "2", 0.5, 2, 0.0), ("real", "swing", "2", "1", 0.5, 2, 0.0)]
    for table, content in (("fused", rows), ("item_similarity", similar)):
        put_rows(lake, config, table, content)
    return lake


def test_graphs_are_made_or_the_missing_package_is_named(lake):
    if not has_graphframes_jvm(lake.spark):
        for make in (interaction_graph, item_graph):
            with pytest.raises(UserError, match=r"spark\.jars\.packages=io\.graphframes"):
                make(lake, "real")
        return
    assert (
        interaction_graph(lake, "real")
        .find("(u)-[a]->(i); (v)-[b]->(i)")
        .where("u.id < v.id")
        .count()
        == 2
    )
    assert item_graph(lake, "real").inDegrees.count() == 2
