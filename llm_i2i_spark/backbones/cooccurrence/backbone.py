"""The backbones of the co-occurrence engine: caps, top-k, and a kernel for one block of items."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from pydantic import Field

from llm_i2i_spark.backbones.base import Backbone, BackboneRun
from llm_i2i_spark.base.errors import ConfigError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from llm_i2i_spark.backbones.cooccurrence.item_ids import ItemIds
    from llm_i2i_spark.backbones.cooccurrence.item_norms import ItemNorms
    from llm_i2i_spark.kernels.csr import ItemBlock, UserCsr
    from llm_i2i_spark.kernels.top_k import Neighbors


class CooccurrenceBackbone(Backbone):
    """A backbone whose similarity of two items is a sum over the users who have both.

    Under `max_users_per_item` the row of an item sums over a sample of its users; as a neighbour of
    others the item keeps them all, and item norms are those of all users.
    """

    max_users_per_item: int | None = Field(
        None,
        ge=2,
        description="users that an item's own row sums over; hot items stay whole as neighbours",
    )
    max_items_per_user: int | None = Field(
        1000, ge=2, description="items of a user; both caps keep the lowest seeded hashes"
    )
    top_k: int = Field(400, ge=1, description="neighbours kept an item")

    @abstractmethod
    def neighbors_of_block(self, csr: UserCsr, block: ItemBlock, norms: ItemNorms) -> Neighbors:
        """The best `top_k` neighbours of every item of a block. Runs in Spark's Python workers.

        Args:
            csr: the whole rows of all users who have an item of the block; in the order of the
                clicks where the backbone has `needs_order`, else by item index.
            block: whose rows are wanted, and the cap of users an item.
            norms: of all items, where the backbone has `needs_item_norms`.

        Returns:
            Best first for each item, equal similarities by item index.
        """

    def reference_neighbors(self, lists: DataFrame, items: ItemIds) -> DataFrame:
        """What `engine=reference` computes, for backbones with `has_reference_engine`.

        Args:
            lists: packed lists of all users.
            items: the ids.

        Returns:
            `item int, neighbor int, similarity double, support int, synthetic_share double`.

        Raises:
            ConfigError: this backbone has none.
        """
        raise ConfigError(f"engine=reference cannot compute {self.name}; use engine=block.")

    def start_warmup(self) -> None:
        """Begin to compile the kernel in a process beside the driver."""
        from llm_i2i_spark.backbones.cooccurrence.warmup import start_warmup

        start_warmup(self.name)

    def compute(self, interactions: DataFrame, run: BackboneRun) -> DataFrame:
        """The similarities of all items by the co-occurrence engine; `Backbone.compute` has the
        contract.
        """
        from llm_i2i_spark.backbones.cooccurrence.engine import find_similarities

        return find_similarities(self, interactions, run)
