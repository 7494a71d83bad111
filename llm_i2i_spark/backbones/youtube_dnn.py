"""Backbone youtube_dnn."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from llm_i2i_spark.backbones.embedding.backbone import EmbeddingBackbone, ReportProgress
from llm_i2i_spark.base.extras import optional_imports

if TYPE_CHECKING:
    from llm_i2i_spark.backbones.embedding.interaction_matrix import InteractionMatrix
    from llm_i2i_spark.backbones.embedding.item_embeddings import ItemEmbeddings


class YoutubeDnn(EmbeddingBackbone):
    """The candidate generator of YouTube."""

    name: ClassVar[str] = "youtube_dnn"
    needs_order: ClassVar[bool] = True

    dims: int = Field(64, ge=1, description="numbers of a vector")
    hidden: tuple[int, ...] = Field((64, 64), description="units of each hidden layer")
    history: int = Field(20, ge=1, description="earlier clicks that a user's vector is made of")
    epochs: int = Field(20, ge=1, description="passes over the examples")
    optimizer: Literal["adam", "adagrad", "sgd"] = Field("adam", description="")
    learning_rate: float = Field(0.001, gt=0, description="of the optimizer")
    batch_size: int = Field(256, ge=1, description="examples a step")
    negatives: Literal["uniform", "popularity"] = Field("uniform", description="")
    negatives_per_batch: int = Field(128, ge=1, description="")

    def learn(
        self, interactions: InteractionMatrix, seed: int, report: ReportProgress
    ) -> ItemEmbeddings:
        """The items' vectors, by torch; `EmbeddingBackbone.learn` has the contract."""
        with optional_imports():
            from llm_i2i_spark.backbones.embedding.youtube_dnn_training import YoutubeDnnTraining

        return YoutubeDnnTraining(self, interactions, seed, report).run()
