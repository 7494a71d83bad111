"""The tables of stages generate and discriminate: what language models propose, and how they score
it.
"""

from __future__ import annotations

from llm_i2i_spark.base.contract import BRANCH, Table, columns_of

PROPOSED = (
    "rank int: from 1, by probability",
    "log_prob double: natural logarithm of the generator's probability",
    "model_digest string: of the generator",
    "prompt_digest string: of the wording of the prompt",
    "decode_digest string: of the settings of decoding",
)
"""Columns of every proposal."""

CANDIDATES = Table(
    name="candidates",
    stage="generate",
    description="one interaction that the generator proposes",
    key=("branch", "user_id", "item_id"),
    columns=columns_of(
        BRANCH,
        "user_id string: for whom",
        "item_id string: an item of the catalogue that the user does not have",
        *PROPOSED,
    ),
    scope=("branch",),
    checks={"log_probability": "log_prob <= 0"},
    cluster_by=("user_id",),
)

ITEM_CANDIDATES = Table(
    name="item_candidates",
    stage="generate",
    description="one next item that the generator proposes after one item alone",
    key=("branch", "item_id", "neighbor_id"),
    columns=columns_of(
        BRANCH,
        "item_id string: the only item of the history",
        "neighbor_id string: another item of the catalogue",
        *PROPOSED,
    ),
    scope=("branch",),
    checks={"log_probability": "log_prob <= 0", "another_item": "item_id <> neighbor_id"},
    cluster_by=("item_id",),
)

SCORED = Table(
    name="scored",
    stage="discriminate",
    description="one interaction, proposed or real, with the discriminator's score",
    key=("branch", "user_id", "item_id"),
    columns=columns_of(
        BRANCH,
        "user_id string: whose",
        "item_id string: which item",
        "source string: synthetic or real",
        "p_yes double: probability of the label Yes, fp32 softmax over Yes and No",
        "confidence double: calibrated probability that the user takes the item",
        "decision boolean: p_yes >= 0.5",
        "model_digest string: of the discriminator",
        "prompt_digest string: of the wording of the prompt",
    ),
    scope=("branch",),
    checks={"probabilities": "p_yes BETWEEN 0 AND 1 AND confidence BETWEEN 0 AND 1"},
    cluster_by=("user_id",),
)
