"""Backbone youtube_dnn."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveInt

from llm_i2i_spark.backbones.embedding.backbone import EmbeddingBackbone, ReportProgress
from llm_i2i_spark.base.extras import optional_imports

if TYPE_CHECKING:
    from llm_i2i_spark.backbones.embedding.interaction_matrix import InteractionMatrix
    from llm_i2i_spark.backbones.embedding.item_embeddings import ItemEmbeddings


class YoutubeDnn(EmbeddingBackbone):
    """The candidate generator of YouTube (Covington, Adams and Sargin, RecSys 2016): a network
    reads the items that a user had and names the next one, as one class among all items.

        minimise  sum over interactions (u, i) with a history H of
                  e_ui (ln(sum over items j of exp(x . y_j)) - x . y_i)
        x    = network(sum over h in H of  e_uh y_h / sum over h in H of  e_uh)
        S(i, j) = max(cos(y_i, y_j), 0)^exponent

    e is the weight of the interaction, H the last `history` items with a position that u had before
    i, and the network one layer max(W x + b, 0) for each of `hidden`, then a linear one. The sum
    over all items is estimated from a sample that a batch shares, each drawn item divided by how
    often it is drawn on average (candidate sampling as in the publication, after Jean, Cho,
    Memisevic and Bengio, ACL 2015; the logarithm is the logQ correction). The item itself is always
    in the sum and not corrected, as then the sum is right on average.

    Synthetic interactions have no position. Each is something to predict, by its weight, from the
    last items that the user has: that is what the language model was asked when it proposed it.
    None is part of a history, since nobody knows what came after it, and real clicks would be
    learned from what may never have been. Who has no click with a position teaches nothing.

    What the paper on LLM-I2I leaves open is taken from the program whose setup it follows (LLM-CF,
    Sun et al. 2024). The paper gives 64 dimensions and the seed 2023, which is `seed` here; hidden
    layers, length of histories, uniform negatives, and one table for items that are read and items
    that are named are that program's. (Covington et al. have two tables; the second would know
    nothing of an item that is only ever clicked first.) Three things differ. That program joins a
    vector of the user's own to the mean; here, as in Covington et al., a user is what the user had.
    It has Adam; here AdaGrad by rows learns, as for `bpr`, which took a quarter of the time and
    found better neighbours after as many epochs. Its steps are of 256 interactions and 128
    negatives, these of 1,024 each. How vectors become item-to-item similarities the paper does not
    say; here it is by their cosine, sharpened.
    """

    name: ClassVar[str] = "youtube_dnn"
    needs_order: ClassVar[bool] = True
    learns_users: ClassVar[bool] = True

    dims: int = Field(64, ge=1, description="numbers of a vector")
    hidden: tuple[PositiveInt, ...] = Field(
        (64, 64), description="units of each hidden layer of the network, first to last"
    )
    history: int = Field(
        20, ge=1, description="earlier items that an interaction is predicted from"
    )
    epochs: int = Field(20, ge=1, description="passes over the interactions")
    learning_rate: float = Field(0.1, gt=0, description="of AdaGrad, for the items' vectors")
    layer_learning_rate: float = Field(0.01, gt=0, description="of AdaGrad, for the network")
    negatives: Literal["uniform", "popularity"] = Field(
        "uniform", description="the sample is drawn uniformly, or by the items' interactions"
    )
    sample_size: int = Field(1024, ge=1, description="items drawn a step, with replacement")

    def learn(
        self, interactions: InteractionMatrix, seed: int, report: ReportProgress
    ) -> ItemEmbeddings:
        """The items' vectors, by torch; `EmbeddingBackbone.learn` has the contract."""
        with optional_imports():
            from llm_i2i_spark.backbones.embedding.youtube_dnn_training import YoutubeDnnTraining

        return YoutubeDnnTraining(self, interactions, seed, report).run()
