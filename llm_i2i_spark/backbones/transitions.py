"""Backbone transitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from llm_i2i_spark.backbones.cooccurrence.backbone import CooccurrenceBackbone

if TYPE_CHECKING:
    from llm_i2i_spark.backbones.cooccurrence.item_norms import ItemNorms
    from llm_i2i_spark.kernels.csr import ItemBlock, UserCsr
    from llm_i2i_spark.kernels.top_k import Neighbors


class Transitions(CooccurrenceBackbone):
    """Next-item transitions: how often, and how soon, users went from item i to item j.

        S(i, j) = sum over the users who clicked j at most `window` clicks after i of
                  e_ui e_uj / (clicks from i to j)

    e are the weights of the interactions (1 for a plain click). With a window of 1 a first-order
    Markov chain, with more the sequential rules of Ludewig and Jannach (UMUAI 2018). Not symmetric;
    synthetic interactions have no position and do not count.
    """

    name: ClassVar[str] = "transitions"
    needs_order: ClassVar[bool] = True
    is_incremental: ClassVar[bool] = True
    is_symmetric: ClassVar[bool] = False

    window: int = Field(10, ge=1, description="how many clicks ahead is looked")

    def neighbors_of_block(self, csr: UserCsr, block: ItemBlock, norms: ItemNorms) -> Neighbors:
        """The best neighbours of the block's items, by `kernels.transitions`."""
        from llm_i2i_spark.kernels.transitions import transitions_block

        return transitions_block(csr, block, self.window, self.top_k)
