"""Stage index: item similarities in, served neighbour lists out."""

from __future__ import annotations

from llm_i2i_spark.index.transform import count_clicks, rank_neighbors
from llm_i2i_spark.lake.stage_run import StageRun


def execute(run: StageRun) -> None:
    """Write `item_index`: rank the neighbours of every item, for each variant and backbone."""
    index = run.config.index
    clicks = count_clicks(run.read("fused"))
    lists = rank_neighbors(run.read("item_similarity"), clicks, index)
    run.write("item_index", lists, "index: lists", size=index.size, normalize=index.normalize)
