"""Backbone blend."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from pydantic import Field

from llm_i2i_spark.backbones.attribution import Attribution
from llm_i2i_spark.backbones.base import Backbone, BackboneRun, Training
from llm_i2i_spark.backbones.em_transitions import EmTransitions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Component = Literal[
    "em_transitions",
    "reverse",
    "two_hops",
    "text",
    "attribution",
    "generated",
    "popular_text",
    "brand",
    "popular",
]
COMPONENTS: tuple[Component, ...] = get_args(Component)
"""In the order in which weights and features have them."""


class Blend(Backbone):
    """Several item-to-item models in one list, each as far as it has proved right.

    Every component gives an item a list of probabilities: transitions (`em_transitions`), the same
    read backwards (`reverse`), two steps of them (`two_hops`), nearest neighbours by text (`text`,
    and weighed by clicks, `popular_text`), items of the same brand (`brand`), the most clicked ones
    (`popular`), what language models propose to the item's users (`attribution`), and what the
    generator proposes after the item alone (`generated`). They are mixed by weights that depend on
    how often the item was clicked,

        mixture(i, j) = sum over k of lambda(bucket of i, k) P_k(j | i),

    learned by expectation maximisation on each user's last interaction (deleted interpolation:
    Jelinek and Mercer, Pattern Recognition in Practice 1980), so a rare item leans on text and a
    frequent one on its clicks. A small network, the combiner, then corrects every pair by what else
    is known of it,

        S(i, j) = mixture(i, j) exp(network(features of (i, j))),

    trained through the lookup: the merged lists of a user's recent items shall rank the last
    interaction first. One with a long-tail item weighs more, since a network that is right on
    average learns to give rare items up. Both learn from components that were made without those
    interactions, and are applied to components made from all of them.

    Stage `combine` trains both. `similar_items` on a DataFrame learns the mixture from the
    DataFrame and has no combiner; components of language models, which may have seen the last
    interactions, then have no weight. A component whose source is missing (no text, no brand, no
    synthetic interactions) is left out.
    """

    name: ClassVar[str] = "blend"
    reads: ClassVar[tuple[str, ...]] = (
        "fused",
        "items",
        "item_features",
        "item_candidates",
        "mixtures",
        "combiners",
    )
    is_trained: ClassVar[bool] = True
    index_normalize: ClassVar[Literal["none", "row"]] = "none"
    index_popularity_exponent: ClassVar[float] = 0.0
    needs_order: ClassVar[bool] = True
    is_symmetric: ClassVar[bool] = False

    components: tuple[Component, ...] = Field(
        COMPONENTS,
        min_length=1,
        description="item-to-item models that are mixed, where the data allow them",
    )
    history: int = Field(10, ge=1, description="latest items of a user that the lookup merges")
    decay: float = Field(
        0.8, gt=0, le=1, description="weight of an item's list relative to the next later one"
    )
    max_users: int = Field(
        20_000, ge=1, description="users on whose last interaction mixture and combiner are trained"
    )
    best_candidates: int = Field(
        25, ge=1, description="items that a training example holds because they rank best"
    )
    sampled_candidates: int = Field(
        25, ge=0, description="of all others in the lookup, a sample that stands for them"
    )
    long_tail_weight: float = Field(
        2.0, gt=0, description="of a training example of the combiner with a long-tail target"
    )
    hidden: int = Field(32, ge=1, description="width of the combiner's two hidden layers")
    epochs: int = Field(8, ge=1, description="passes over the training examples")
    least_steps: int = Field(
        600, ge=0, description="of the optimizer; few examples are passed over more often"
    )
    learning_rate: float = Field(6e-3, gt=0, description="of AdamW, after the warm-up")
    weight_decay: float = Field(1e-3, ge=0, description="of AdamW")
    dropout: float = Field(0.2, ge=0, lt=1, description="after the combiner's first hidden layer")
    batch_size: int = Field(256, ge=1, description="training examples a step")
    max_users_per_item: int | None = Field(
        None, ge=2, description="of the prior of the transitions: users that a row sums over"
    )
    max_items_per_user: int | None = Field(
        1000, ge=2, description="of the prior of the transitions: items of a user"
    )
    top_k: int = Field(400, ge=1, description="neighbours kept an item")

    def start_warmup(self) -> None:
        """Begin to compile the kernels of the transitions."""
        self.of_transitions().start_warmup()

    def of_transitions(self) -> EmTransitions:
        """The backbone behind the first three components."""
        return EmTransitions(
            max_users_per_item=self.max_users_per_item, max_items_per_user=self.max_items_per_user
        )

    def of_attribution(self) -> Attribution:
        """The backbone behind the component of that name."""
        return Attribution()

    def train(
        self, interactions: DataFrame, held_back: DataFrame, run: BackboneRun
    ) -> Training | None:
        """The mixture and the examples of the combiner; `Backbone.train` has the contract."""
        from llm_i2i_spark.backbones.blend_engine.engine import train_on_held_out

        return train_on_held_out(self, interactions, held_back, run)

    def compute(self, interactions: DataFrame, run: BackboneRun) -> DataFrame:
        """The similarities of all items; `Backbone.compute` has the contract."""
        from llm_i2i_spark.backbones.blend_engine.engine import blend_similar_items

        return blend_similar_items(self, interactions, run)
