"""Backbone bm25."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from llm_i2i_spark.backbones.cooccurrence.backbone import CooccurrenceBackbone

if TYPE_CHECKING:
    from llm_i2i_spark.backbones.cooccurrence.item_norms import ItemNorms
    from llm_i2i_spark.kernels.csr import ItemBlock, UserCsr
    from llm_i2i_spark.kernels.top_k import Neighbors


class Bm25(CooccurrenceBackbone):
    """BM25 (Robertson and Walker, SIGIR 1994): item-kNN with clicks weighted as Okapi BM25 weighs
    words; items are the documents, users the words.

        S(i, j) = sum over the users of both items of x_ui x_uj,
        x_ui = e_ui (k1 + 1) / (k1 (1 - b + b t_i / mean t) + e_ui) * (ln N - ln(1 + |I_u|)),
        t_i = sum of e_ui over all users of i

    e are the weights of the interactions, N the number of items. Named and preset as
    `BM25Recommender` of the package implicit.
    """

    name: ClassVar[str] = "bm25"
    needs_item_norms: ClassVar[bool] = True

    k1: float = Field(1.2, ge=0, description="saturation of a click's weight")
    b: float = Field(
        0.75, ge=0, le=1, description="how much a popular item takes from each of its clicks"
    )

    def neighbors_of_block(self, csr: UserCsr, block: ItemBlock, norms: ItemNorms) -> Neighbors:
        """The best neighbours of the block's items, by `kernels.bm25`."""
        from llm_i2i_spark.kernels.bm25 import bm25_block

        return bm25_block(csr, block, norms.totals, self.k1, self.b, self.top_k)
