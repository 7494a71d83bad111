"""One variant from lists to similarities: blocks, the engine, names."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pyspark.sql import DataFrame

from llm_i2i_spark.backbones.cooccurrence.block_engine import (
    BlockTask,
    lottery_limits,
    similar_by_block,
)
from llm_i2i_spark.backbones.cooccurrence.item_blocks import deal_items, group_communities
from llm_i2i_spark.backbones.cooccurrence.item_ids import Items
from llm_i2i_spark.backbones.cooccurrence.item_names import name_items
from llm_i2i_spark.backbones.cooccurrence.item_norms import Statistics
from llm_i2i_spark.backbones.cooccurrence.reference_engine import click_graph, similar_by_joins
from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.config.i2i import I2iConfig
from llm_i2i_spark.kernels.edge_format import NO_BLOCK


def similar_items(
    lists: DataFrame,
    variant: str,
    items: Items,
    blocks: int,
    settings: I2iConfig,
    statistics: Statistics | None = None,
    wanted: npt.NDArray[np.bool_] | None = None,
) -> DataFrame:
    """The similarities of a variant by the configured backbone and engine.

    Args:
        lists: parcels of the variant, from `user_lists`.
        items: the numbers.
        blocks: how many; the rows are the same for any number.
        settings: the backbone, the engine and their parameters.
        statistics: for backbones that need them.
        wanted: by item number, whose rows to compute; None for all.

    Returns:
        Rows of the `item_similarity` contract.
    """
    if settings.engine == "reference":
        similar = similar_by_joins(
            click_graph(lists, items.lots, settings.swing), settings.swing.a2, settings.top_k
        )
    else:
        cap = settings.swing.max_users_per_item if settings.backbone == "swing" else None
        if settings.partitioning == "community":
            block_of, saved = group_communities(lists, items.clicks, blocks, cap)
            log_message(
                f"  {variant}: items clicked together share a block, which saves {saved:.0%} of the"
                " shuffle"
            )
        else:
            block_of = deal_items(items.clicks, blocks, cap)
        if wanted is not None:
            block_of[~wanted] = NO_BLOCK
        limits = lottery_limits(items.clicks, cap)
        similar = similar_by_block(
            lists,
            BlockTask(block_of, blocks, items.lots, limits, settings, statistics or Statistics()),
        )
    return name_items(similar, items, variant, settings.backbone)
