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
    settings = {
        scope["backbone"]: settings_for(run.config.index, scope["backbone"]) for scope in run.scopes
    }
    parts = [
        rank_neighbors(similar.where(F.col("backbone") == name), clicks, own)
        for name, own in settings.items()
    ]
    used = {
        scope_key(scope): settings[scope["backbone"]].model_dump(
            include={"size", "normalize", "popularity_exponent", "new_item_boost"}
        )
        for scope in run.scopes
    }
    lists = reduce(DataFrame.unionByName, parts)
    run.write("item_index", lists, "index: lists", results=used)


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
