"""The tables of stages retrieve, generate and discriminate: what language models propose, and how
they score it.
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

VOTE = "struct<example_id:string,similarity:double,share:double>"

IN_CONTEXT_EXAMPLES = Table(
    name="in_context_examples",
    stage="retrieve",
    description="one step of a user that other users are compared with",
    key=("branch", "example_id"),
    columns=columns_of(
        BRANCH,
        "example_id string: user and number of the step",
        "user_id string: whose",
        "item_id string: the item that was taken",
        "reason_id string: the earlier item of the user that the generator places nearest to it",
        "reasoning string: the step in words",
        "model_digest string: of the generator",
        "prompt_digest string: of the wording of the prompt",
    ),
    scope=("branch",),
    checks={"another_item": "item_id <> reason_id"},
)

RETRIEVED = Table(
    name="retrieved",
    stage="retrieve",
    description="one interaction that steps of similar users propose",
    key=("branch", "user_id", "item_id"),
    columns=columns_of(
        BRANCH,
        "user_id string: for whom",
        "item_id string: an item that the user does not have",
        "rank int: from 1, by share",
        "share double: of the votes of all examples that were retrieved for the user, in (0, 1]",
        f"votes array<{VOTE}>: the examples in which the item was taken, most similar first; "
        "similarity -1 to 1, share as above",
        "model_digest string: of the generator",
        "prompt_digest string: of the wording of the prompt",
    ),
    scope=("branch",),
    checks={"vote_share": "share > 0 AND share <= 1"},
    cluster_by=("user_id",),
    other_user_ids={"votes": "votes"},
)

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
