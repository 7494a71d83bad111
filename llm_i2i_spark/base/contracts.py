"""Every table of the lake: what a row is, its columns, key and checks, and the stage that writes
it.

Ids are strings at every edge; dense integers exist only inside the backbones' engines.
"""

from __future__ import annotations

from llm_i2i_spark.base.combiner_contracts import COMBINER_EXAMPLES, COMBINERS, MIXTURES
from llm_i2i_spark.base.contract import BACKBONE, BRANCH, VARIANT, Table, columns_of
from llm_i2i_spark.base.embedding_contracts import ITEM_EMBEDDINGS, USER_NETWORKS
from llm_i2i_spark.base.proposal_contracts import (
    CANDIDATES,
    IN_CONTEXT_EXAMPLES,
    ITEM_CANDIDATES,
    RETRIEVED,
    SCORED,
)

ITEM = "struct<item_id:string,text:string>"
TRAINING_CURVE = "training.jsonl"
"""File in the folder of a checkpoint: a line of JSON for each epoch, with its mean `loss`."""
RELIABILITY_CURVE = "reliability.json"
"""File in the folder of a discriminator's checkpoint: how well its confidences are calibrated."""
TARGET = "struct<item_id:string,text:string,loss_weight:double>"
NEIGHBOR = "struct<item_id:string,score:double,rank:int,synthetic_share:double>"

INTERACTIONS = Table(
    name="interactions",
    stage="ingest",
    description="one interaction of a user with an item, after checks and deduplication",
    key=("user_id", "item_id"),
    columns=columns_of(
        "user_id string: id as in the log, byte-exact",
        "item_id string: id as in the log, byte-exact",
        "ts? timestamp: when, UTC; null where the log has no times",
        "position int: 0-based rank in the user's history, oldest first",
        "event string: kind of interaction; `click` where the log has none",
        "weight double: how much it counts, above 0: its own weight (`ingest.weight=use`) times "
        "that of its event (`ingest.event_weights`); 1 without them",
        "fold string: train, valid or test",
        "held_back? boolean: whether what trained backbones are taught on sees no row of the item, "
        "which stands in for the items without a click (`split.held_back_items`)",
    ),
    checks={
        "known_fold": "fold IN ('train', 'valid', 'test')",
        "positive_weight": "weight > 0",
    },
    cluster_by=("user_id",),
)

QUARANTINE = Table(
    name="quarantine",
    stage="ingest",
    description="one raw row that was refused",
    key=("table", "raw"),
    columns=columns_of(
        "table string: raw table it comes from: interactions or items",
        "raw string: the row as JSON",
        "reason string: the first check that it failed",
        "run_id string: the run that refused it",
    ),
    other_user_ids={"raw": "text"},
)

ITEMS = Table(
    name="items",
    stage="ingest",
    description="one item of the catalogue, or one that only the log knows",
    key=("item_id",),
    columns=columns_of(
        "item_id string: id, byte-exact",
        "title? string: as in the catalogue",
        "brand? string: as in the catalogue",
        "category? string: path, parts joined by ` > `",
        "text string: title | brand | category as prompts show it, at most 512 characters",
        "extra map<string,string>: further simple columns of the catalogue, by name",
    ),
    cluster_by=("item_id",),
)

ITEM_STATS = Table(
    name="item_stats",
    stage="ingest",
    description="how often an item occurs in the training fold",
    key=("item_id",),
    columns=columns_of(
        "item_id string: id of a row of `items`",
        "n_interactions bigint: rows in the training fold",
        "n_users bigint: distinct users in the training fold",
        "popularity_rank int: 1 for the item with most rows",
        "is_long_tail boolean: among the `ingest.long_tail_share` of items with fewest rows",
    ),
)

ITEM_FEATURES = Table(
    name="item_features",
    stage="encode",
    description="the features of an item's text",
    key=("item_id",),
    columns=columns_of(
        "item_id string: id of a row of `items`",
        "features array<float>: at most `sft.text_dims` numbers, as many for every item, of unit "
        "length together; zeros for a text without any known word",
    ),
    cluster_by=("item_id",),
)

SFT_GENERATOR = Table(
    name="sft_generator",
    stage="export",
    description="one training example of the generator",
    key=("branch", "example_id"),
    columns=columns_of(
        BRANCH,
        "example_id string: user, split and position",
        "user_id string: whose history it is",
        "split string: train, or calibration for withheld items",
        f"history array<{ITEM}>: items before the first target, oldest first",
        f"targets array<{TARGET}>: items to predict, each with its weight in the loss",
    ),
    scope=("branch",),
    checks={"known_split": "split IN ('train', 'calibration')"},
)

SFT_DISCRIMINATOR = Table(
    name="sft_discriminator",
    stage="export",
    description="one labelled candidate, a training example of the discriminator",
    key=("branch", "example_id"),
    columns=columns_of(
        BRANCH,
        "example_id string: user, position and number of the negative",
        "user_id string: whose history it is",
        "position int: of the observed item; candidates of one position share their history",
        f"history array<{ITEM}>: items before it, oldest first",
        f"candidate {ITEM}: the item in question",
        "label boolean: true for the observed item, false for a sampled one",
        "weight? double: in the loss, in (0, 1]: of the observed interaction relative to the "
        "strongest; null, of earlier versions, is 1",
    ),
    scope=("branch",),
)

CHECKPOINTS = Table(
    name="checkpoints",
    stage="sft",
    description="one fine-tuned model",
    key=("branch", "role"),
    columns=columns_of(
        BRANCH,
        "role string: what the model does: generator, discriminator, …",
        "model_digest string: sha256 over the files of the checkpoint, its role and the inputs it "
        "is shown",
        "path string: its folder",
        "base_model string: folder of the pretrained model; `compact` for one trained from scratch",
        "export_version bigint: version of the training examples",
        "manifest string: origin of the checkpoint as JSON",
    ),
    scope=("branch",),
)

FUSED = Table(
    name="fused",
    stage="fuse",
    description="one interaction that an item-to-item model learns from",
    key=("variant", "user_id", "item_id"),
    columns=columns_of(
        VARIANT,
        "user_id string: whose",
        "item_id string: which item",
        "weight double: of the edge, in (0, 1]: of a real interaction relative to the strongest of "
        "the log, so 1 where all weigh alike",
        "source string: real or synthetic",
        "confidence? double: of a synthetic row the calibrated one, of variant llm_cf the share of "
        "votes; of a real row p_yes",
        "ts? timestamp: of a real interaction, UTC",
        "position? int: of a real interaction, 0-based rank in the user's history",
    ),
    scope=("variant",),
    checks={
        "known_source": "source IN ('real', 'synthetic')",
        "edge_weight": "weight > 0 AND weight <= 1",
    },
    retired_checks=("real_edge_weight",),
    # The joins of stage fuse leave rows by user, so that this order costs next to nothing.
    cluster_by=("user_id",),
    change_feed=True,
)

ITEM_SIMILARITY = Table(
    name="item_similarity",
    stage="i2i",
    description="how similar one item is to another",
    key=("variant", "backbone", "item_id", "neighbor_id"),
    columns=columns_of(
        VARIANT,
        BACKBONE,
        "item_id string: whose neighbour",
        "neighbor_id string: the neighbour",
        "similarity double: above 0, on the backbone's own scale",
        "support? int: users behind it; null where the backbone does not count them",
        "synthetic_share? double: part of the similarity that synthetic interactions make up, of a "
        "blend all that comes from language models alone, 0 to 1; null where the backbone cannot "
        "tell",
        "components? array<struct<component:string,share:double>>: of a blend, what makes up the "
        "similarity, the largest shares first; null for other backbones",
    ),
    scope=("variant", "backbone"),
    # A condition that is null counts as violated.
    checks={"known_share": "synthetic_share IS NULL OR synthetic_share BETWEEN 0 AND 1"},
    retired_checks=("share",),
    cluster_by=("item_id",),
)

ITEM_INDEX = Table(
    name="item_index",
    stage="index",
    description="the list of neighbours that is served for an item",
    key=("variant", "backbone", "item_id"),
    columns=columns_of(
        VARIANT,
        BACKBONE,
        "item_id string: whose list",
        f"neighbors array<{NEIGHBOR}>: best first; score after damping and normalisation, rank "
        "from 1, synthetic_share as in item_similarity",
    ),
    scope=("variant", "backbone"),
    cluster_by=("item_id",),
)

METRICS = Table(
    name="metrics",
    stage="evaluate",
    description="one figure of an evaluation",
    key=("run_id", "variant", "backbone", "protocol", "slice", "name", "k"),
    columns=columns_of(
        "run_id string: of the evaluation",
        VARIANT,
        BACKBONE,
        "protocol string: strict or refit",
        "slice string: which held-out items count: all, long_tail, head, new, …",
        "name string: the metric; `<name>_gain` is the paired difference to variant real",
        "k int: length of the list; 0 where the metric has none",
        "value double: the mean over users, or over items",
        "ci_low? double: lower end of the 95 % bootstrap interval over users",
        "ci_high? double: its upper end",
        "n bigint: users, or items, behind the value",
    ),
    append=True,
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        INTERACTIONS,
        QUARANTINE,
        ITEMS,
        ITEM_STATS,
        ITEM_FEATURES,
        SFT_GENERATOR,
        SFT_DISCRIMINATOR,
        CHECKPOINTS,
        IN_CONTEXT_EXAMPLES,
        RETRIEVED,
        CANDIDATES,
        ITEM_CANDIDATES,
        SCORED,
        FUSED,
        MIXTURES,
        COMBINER_EXAMPLES,
        COMBINERS,
        ITEM_EMBEDDINGS,
        USER_NETWORKS,
        ITEM_SIMILARITY,
        ITEM_INDEX,
        METRICS,
    )
}
"""Every table by name, in pipeline order."""
MODEL_TABLES = (CHECKPOINTS.name, COMBINERS.name, ITEM_EMBEDDINGS.name)
"""Those of what was learned: a row a model, or a row an item of one."""
