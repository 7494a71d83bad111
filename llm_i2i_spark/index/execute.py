"""Stage index: item similarities in, served neighbour lists out."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.backbones import find_backbone
from llm_i2i_spark.base.contract import scope_key
from llm_i2i_spark.base.sections.index import IndexConfig
from llm_i2i_spark.index.transform import count_clicks, rank_neighbors
from llm_i2i_spark.lake.stage_run import StageRun


def execute(run: StageRun) -> None:
    """Write `item_index`: rank the neighbours of every item, for each variant and backbone."""
    clicks = count_clicks(run.read("fused"))
    similar = run.read("item_similarity")
    parts, attributes = [], {}
    for name in dict.fromkeys(scope["backbone"] for scope in run.scopes):
        settings = settings_for(run.config.index, name)
        of_backbone = similar.where(F.col("backbone") == name)
        parts.append(rank_neighbors(of_backbone, clicks, settings))
        for scope in run.scopes:
            if scope["backbone"] == name:
                attributes[scope_key(scope)] = {
                    "normalize": settings.normalize,
                    "popularity_exponent": settings.popularity_exponent,
                }
    lists = reduce(DataFrame.unionByName, parts)
    run.write("item_index", lists, "index: lists", size=run.config.index.size, results=attributes)


def settings_for(index: IndexConfig, backbone: str) -> IndexConfig:
    """The settings with what suits a backbone where they leave that open."""
    kind = find_backbone(backbone)
    exponent = index.popularity_exponent
    return index.model_copy(
        update={
            "normalize": kind.index_normalize if index.normalize == "auto" else index.normalize,
            "popularity_exponent": kind.index_popularity_exponent if exponent is None else exponent,
        }
    )
