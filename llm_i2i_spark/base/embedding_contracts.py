"""The contracts of the tables that stage embed writes."""

from __future__ import annotations

from llm_i2i_spark.base.contract import BACKBONE, VARIANT, Table, columns_of

ITEM_EMBEDDINGS = Table(
    name="item_embeddings",
    stage="embed",
    description="the vector that a backbone has learned for an item",
    key=("variant", "backbone", "item_id"),
    columns=columns_of(
        VARIANT,
        BACKBONE,
        "item_id string: an item of `fused` that the backbone could learn from: of bpr one that "
        "somebody has who lacks others, of youtube_dnn one with another before or after it",
        "embedding array<float>: as many numbers for every item of a backbone; of bpr the last one "
        "is the item's bias",
    ),
    scope=("variant", "backbone"),
)

USER_NETWORKS = Table(
    name="user_networks",
    stage="embed",
    description="a unit of the network by which a backbone makes a user's vector from the items of "
    "the user's history; of bpr, which has no network, no row",
    key=("variant", "backbone", "layer", "unit"),
    columns=columns_of(
        VARIANT,
        BACKBONE,
        "layer int: 0 reads the mean of the items' vectors, each other one the layer before it",
        "unit int: 0-based; those of the last layer are the numbers of the user's vector",
        "weights array<float>: of the numbers that it reads, and last its bias",
    ),
    scope=("variant", "backbone"),
)
