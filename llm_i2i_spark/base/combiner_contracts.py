"""The tables of stage combine: what a backbone that is trained learns from, and has learned."""

from __future__ import annotations

from llm_i2i_spark.base.contract import BACKBONE, VARIANT, Table, columns_of

MIXTURES = Table(
    name="mixtures",
    stage="combine",
    description="how much a component counts in the lists of items of so many clicks",
    key=("variant", "backbone", "least_clicks", "component"),
    columns=columns_of(
        VARIANT,
        BACKBONE,
        "least_clicks int: of the items of a bucket; it ends where the next one begins",
        "component string: item-to-item model that the backbone is made of",
        "weight double: learned on each user's last interaction, 0 to 1; those of a bucket sum to "
        "at most 1",
    ),
    scope=("variant", "backbone"),
    checks={"mixture_weight": "weight BETWEEN 0 AND 1"},
)

COMBINER_EXAMPLES = Table(
    name="combiner_examples",
    stage="combine",
    description="one user's last interaction, and the items that a lookup offers in its place",
    key=("variant", "backbone", "user_id"),
    columns=columns_of(
        VARIANT,
        BACKBONE,
        "user_id string: whose",
        "item_id string: of the last interaction, the first candidate",
        "recent_items array<string>: the items before it, latest first",
        "recent_weights array<double>: of their lists in the lookup",
        "candidate_weights array<double>: how many items each candidate stands for, the first for "
        "itself",
        "pair_recent array<int>: of each pair of a recent item and a candidate that is in its "
        "list, the index of the first ...",
        "pair_candidate array<int>: ... and of the second",
        "mixture array<double>: of each pair, the mixture of the components",
        "features array<float>: of each pair its features, pair after pair",
        "loss_weight? double: of the example; null counts 1",
    ),
    scope=("variant", "backbone"),
)

COMBINERS = Table(
    name="combiners",
    stage="combine",
    description="one trained combiner",
    key=("variant", "backbone"),
    columns=columns_of(
        VARIANT,
        BACKBONE,
        "model_digest string: sha256 over the files of the checkpoint",
        "path string: its folder",
        "examples bigint: users that it was trained on",
        "manifest string: origin of the checkpoint as JSON",
    ),
    scope=("variant", "backbone"),
)
