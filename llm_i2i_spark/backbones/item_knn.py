"""Backbone item_knn."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from llm_i2i_spark.backbones.cooccurrence.backbone import CooccurrenceBackbone

if TYPE_CHECKING:
    from llm_i2i_spark.backbones.cooccurrence.item_norms import ItemNorms
    from llm_i2i_spark.kernels.csr import ItemBlock, UserCsr
    from llm_i2i_spark.kernels.top_k import Neighbors


class ItemKnn(CooccurrenceBackbone):
    """Item-kNN (Sarwar et al., WWW 2001): the cosine of two items' columns of the click matrix.

        S(i, j) = sum over the users of both items of e_ui e_uj / (|i| |j|),
        |i|^2 = sum of e_ui^2 over all users of i

    e are the weights of the interactions. `CosineRecommender` of the package implicit.
    """

    name: ClassVar[str] = "item_knn"
    needs_item_norms: ClassVar[bool] = True

    def neighbors_of_block(self, csr: UserCsr, block: ItemBlock, norms: ItemNorms) -> Neighbors:
        """The best neighbours of the block's items, by `kernels.item_knn`."""
        from llm_i2i_spark.kernels.item_knn import item_knn_block

        return item_knn_block(csr, block, norms.squares, self.top_k)
