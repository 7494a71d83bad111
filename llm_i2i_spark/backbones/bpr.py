"""Backbone bpr."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from llm_i2i_spark.backbones.embedding.backbone import EmbeddingBackbone, ReportProgress
from llm_i2i_spark.base.extras import optional_imports

if TYPE_CHECKING:
    from llm_i2i_spark.backbones.embedding.interaction_matrix import InteractionMatrix
    from llm_i2i_spark.backbones.embedding.item_embeddings import ItemEmbeddings

CONVENTIONS = {
    "implicit": {
        "epochs": 100,
        "optimizer": "sgd",
        "learning_rate": 0.01,
        "regularization": 0.01,
        "batch_size": 256,
        "negatives": "popularity",
        "exponent": 1.0,
    }
}
"""What another implementation of BPR takes by default, in the notation of `Bpr`. `implicit` makes
one step an interaction; in batches of 256 the steps are as good as alone.
"""


class Bpr(EmbeddingBackbone):
    """Bayesian personalised ranking (Rendle, Freudenthaler, Gantner and Schmidt-Thieme, UAI 2009):
    matrix factorisation that ranks what a user has above what the user does not have.

        minimise  sum over interactions (u, i) of
                  e_ui (-ln sigma(s_ui - s_uj) + regularization / 2 (|x_u|^2 + |y_i|^2 + |y_j|^2))
        s_ui = x_u . y_i + b_i
        S(i, j) = max(cos(y_i, y_j), 0)^exponent,  b_i a number of y_i like the others

    e is the weight of the interaction and j an item that user u does not have, drawn anew every
    time. An epoch goes once over all interactions in random order. The default optimizer is AdaGrad
    (Duchi, Hazan and Singer, JMLR 2011) with one sum of squares a row, as for the embedding tables
    of recommenders (Mudigere et al., ISCA 2022): rare items make large steps, and it finds better
    vectors in fewer epochs than plain stochastic gradient descent.

    Users' vectors are thrown away, and no user is ever multiplied by all items. An item whose users
    all have every item has nothing to be ranked above, and no vector.
    """

    name: ClassVar[str] = "bpr"

    convention: Literal["implicit"] | None = Field(
        None,
        description="what is not given is taken from the defaults of another implementation",
    )
    factors: int = Field(100, ge=1, description="numbers of a vector, the item's bias aside")
    optimizer: Literal["adagrad", "sgd"] = Field(
        "adagrad", description="AdaGrad by rows, or stochastic gradient descent"
    )
    learning_rate: float = Field(0.1, gt=0, description="of the optimizer")
    regularization: float = Field(
        0.03, ge=0, description="weight of the squared lengths of vectors in the loss"
    )
    negatives: Literal["uniform", "popularity"] = Field(
        "uniform",
        description="items that the user lacks are drawn uniformly, or by their interactions",
    )

    @model_validator(mode="after")
    def _fill_convention(self) -> Bpr:
        """Take what is not given from the convention."""
        for name, value in CONVENTIONS.get(self.convention or "", {}).items():
            if name not in self.model_fields_set:
                object.__setattr__(self, name, value)
        return self

    def learn(
        self, interactions: InteractionMatrix, seed: int, report: ReportProgress
    ) -> ItemEmbeddings:
        """The items' vectors, by torch; `EmbeddingBackbone.learn` has the contract."""
        with optional_imports():
            from llm_i2i_spark.backbones.embedding.bpr_training import BprTraining

        return BprTraining(self, interactions, seed, report).run()
