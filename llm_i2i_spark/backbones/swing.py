"""Backbone swing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from llm_i2i_spark.backbones.cooccurrence.backbone import CooccurrenceBackbone

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from llm_i2i_spark.backbones.cooccurrence.item_ids import ItemIds
    from llm_i2i_spark.backbones.cooccurrence.item_norms import ItemNorms
    from llm_i2i_spark.kernels.csr import ItemBlock, UserCsr
    from llm_i2i_spark.kernels.top_k import Neighbors

CONVENTIONS: dict[str, dict[str, float]] = {
    "flink": {"a1": 15.0, "a2": 0.0, "b": 0.3},
    "alink": {"a1": 5.0, "a2": 1.0, "b": -0.35},
    "pai": {"a1": 5.0, "a2": 1.0, "b": -0.35},
    "farm": {"a1": 0.0, "a2": 0.0, "b": 0.5},
}
"""What other implementations of Swing take for a1, a2 and b by default, in the notation of
`Swing`.
"""


class Swing(CooccurrenceBackbone):
    """Swing (Yang et al., arXiv:2010.05525): pairs of users who have two items in common, the less
    the more else they share.

        S(i, j) = sum over unordered pairs {u, v} of users of both items of
                  w_u w_v e_ui e_uj e_vi e_vj / (a2 + |I_u and I_v|),
        w_u = (a1 + sum of e_u)^-b

    e are the weights of the interactions (1 for a plain click) and I_u the items of user u. The
    default a1, a2 and b are 0, 1 and 0.5.
    """

    name: ClassVar[str] = "swing"
    is_incremental: ClassVar[bool] = True
    has_reference_engine: ClassVar[bool] = True

    convention: Literal["flink", "alink", "pai", "farm"] | None = Field(
        None,
        description=(
            "a1, a2 and b, as far as they are not given, by the defaults of another implementation"
        ),
    )
    a1: float = Field(0.0, ge=0, description="added to the sum of a user's weights")
    a2: float = Field(1.0, ge=0, description="added to the number of common items")
    b: float = Field(0.5, description="how much less a user with many items counts")

    @model_validator(mode="after")
    def _fill_convention(self) -> Swing:
        """Take what is not given from the convention."""
        for name, value in CONVENTIONS.get(self.convention or "", {}).items():
            if name not in self.model_fields_set:
                object.__setattr__(self, name, value)
        return self

    def neighbors_of_block(self, csr: UserCsr, block: ItemBlock, norms: ItemNorms) -> Neighbors:
        """The best neighbours of the block's items, by `kernels.swing`."""
        from llm_i2i_spark.kernels.swing import swing_block

        return swing_block(csr, block, self.a1, self.a2, self.b, self.top_k)

    def reference_neighbors(self, lists: DataFrame, items: ItemIds) -> DataFrame:
        """The same rows as graph algebra, by GraphFrames and Spark SQL."""
        from llm_i2i_spark.backbones.cooccurrence.reference_engine import (
            click_graph,
            similar_by_joins,
        )

        return similar_by_joins(click_graph(lists, items.hashes, self), self.a2, self.top_k)
