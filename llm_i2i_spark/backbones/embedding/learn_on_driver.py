"""Item embeddings of a DataFrame, for a backbone without a lake: learned by the driver itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import DataFrame

from llm_i2i_spark.backbones.base import BackboneRun
from llm_i2i_spark.backbones.embedding.interaction_matrix import columns_for, interaction_matrix
from llm_i2i_spark.base.console import Progress

if TYPE_CHECKING:
    from llm_i2i_spark.backbones.embedding.backbone import EmbeddingBackbone


def learn_on_driver(
    backbone: EmbeddingBackbone, interactions: DataFrame, run: BackboneRun
) -> DataFrame:
    """What the table `item_embeddings` would hold for a backbone, `item_id, embedding`.

    Args:
        backbone: with its parameters.
        interactions: as `Backbone.compute` takes them; they are collected.
        run: seed and title.
    """
    columns = columns_for(backbone.needs_order)
    matrix = interaction_matrix(interactions.select(*columns).toArrow())
    with Progress(f"{run.title}: embeddings", unit="interactions") as bar:
        learned = backbone.learn(matrix, run.seed, bar.update)
    return interactions.sparkSession.createDataFrame(learned.to_arrow())
