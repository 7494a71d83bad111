"""The backbones that learn a vector for every item: nearest neighbours of what stage `embed` wrote,
or of what is learned on the spot where there is no lake.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from llm_i2i_spark.backbones.base import Backbone, BackboneRun
from llm_i2i_spark.base.extras import optional_imports

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from llm_i2i_spark.backbones.embedding.interaction_matrix import InteractionMatrix
    from llm_i2i_spark.backbones.embedding.item_embeddings import ItemEmbeddings

ReportProgress = Callable[[int, int, str], None]
"""Called while a backbone learns: steps done, steps in all, and a note such as the loss."""


class EmbeddingBackbone(Backbone):
    """A backbone that learns a vector y for every item; two items are as similar as their vectors.

        S(i, j) = max(cos(y_i, y_j), 0)^exponent

    Stage `embed` calls `learn` in a process without Spark and keeps the vectors in the table
    `item_embeddings`; stage `i2i` compares all pairs of items, a block of items a task. On a
    DataFrame without a lake the driver learns them first. What a similarity owes to single
    interactions cannot be told, so `support` and `synthetic_share` are null.
    """

    reads: ClassVar[tuple[str, ...]] = ("fused", "item_embeddings")
    index_normalize: ClassVar[Literal["none", "row"]] = "row"
    index_popularity_exponent: ClassVar[float] = 0.0
    learns_users: ClassVar[bool] = False
    """Whether it also learns a network that makes a user's vector from the last `history` items."""

    exponent: float = Field(4.0, gt=0, description="the cosine is raised to it: the lead of few")
    top_k: int = Field(400, ge=1, description="neighbours kept an item")
    epochs: int = Field(30, ge=1, description="passes over the interactions")
    batch_size: int = Field(1024, ge=1, description="interactions a step")

    @abstractmethod
    def learn(
        self, interactions: InteractionMatrix, seed: int, report: ReportProgress
    ) -> ItemEmbeddings:
        """The vectors of the items, by a method that gives equal bits for equal arguments.

        Args:
            interactions: users, items and weights.
            seed: of all random numbers.
            report: told how far it is.

        Raises:
            MissingDependencyError: torch is not installed.
            StageError: the loss is no number.
        """

    def compute(self, interactions: DataFrame, run: BackboneRun) -> DataFrame:
        """The similarities of all items that have a vector; `Backbone.compute` has the contract."""
        from pyspark.sql import functions as F

        from llm_i2i_spark.backbones.nearest_engine import find_nearest

        vectors = run.tables.get("item_embeddings")
        if vectors is None:
            with optional_imports():
                from llm_i2i_spark.backbones.embedding.learn_on_driver import learn_on_driver
            vectors = learn_on_driver(self, interactions, run)
        features = vectors.select("item_id", F.col("embedding").alias("features"))
        similar = find_nearest(features, run, top_k=self.top_k, exponent=self.exponent)
        return similar.withColumn("synthetic_share", F.lit(None).cast("double"))
