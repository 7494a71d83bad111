"""Backbone em_transitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from llm_i2i_spark.backbones.base import Backbone, BackboneRun
from llm_i2i_spark.backbones.swing import Swing

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class EmTransitions(Backbone):
    """Transitions by expectation maximisation: which of a user's earlier clicks explains a click.

    A click on j after the clicks h is a draw from the mixture

        p(j | h) = sum over i in h of  w_i S(i, j),    w_i ~ e_i decay^(age of i in h)

    (e: the weights of the interactions, 1 for a plain click) of the last `history` clicks. The rows
    of S have a Dirichlet prior: Swing on all interactions, rows scaled to sum to 1, as strong as
    `prior_strength` clicks. Each round divides every click among the clicks before it by their
    responsibility, mass(i, j), and sets

        S(i, j) = (mass(i, j) + a P(i, j)) / (sum over k of mass(i, k) + a)

    so an item that merely stands beside the cause is explained away, which counting transitions
    cannot do. (EM for a mixture of Markov sources: Dempster, Laird and Rubin, JRSS B 1977; the
    decay as in the lookup.) Synthetic interactions have no position: they act through the prior.
    """

    name: ClassVar[str] = "em_transitions"
    index_normalize: ClassVar[Literal["none", "row"]] = "none"
    index_popularity_exponent: ClassVar[float] = 0.0
    needs_order: ClassVar[bool] = True
    is_symmetric: ClassVar[bool] = False

    history: int = Field(10, ge=1, description="earlier clicks that may explain a click")
    decay: float = Field(
        0.8, gt=0, le=1, description="weight of a click relative to the next later one"
    )
    prior_strength: float = Field(
        10.0, gt=0, description="clicks that the prior of an item, its Swing list, counts as"
    )
    prior_damping: float = Field(
        0.25, ge=0, description="the prior is Swing * (clicks of the neighbour) ** -prior_damping"
    )
    rounds: int = Field(2, ge=0, description="of expectation and maximisation")
    max_users_per_item: int | None = Field(
        None, ge=2, description="of the prior: users that an item's own row sums over"
    )
    max_items_per_user: int | None = Field(1000, ge=2, description="of the prior: items of a user")
    top_k: int = Field(400, ge=1, description="neighbours kept an item")

    def start_warmup(self) -> None:
        """Begin to compile the kernel of the prior."""
        Swing().start_warmup()

    def compute(self, interactions: DataFrame, run: BackboneRun) -> DataFrame:
        """The similarities of all items; `Backbone.compute` has the contract."""
        from llm_i2i_spark.backbones.em_engine import find_transitions

        swing = Swing(
            max_users_per_item=self.max_users_per_item,
            max_items_per_user=self.max_items_per_user,
            top_k=self.top_k,
        )
        prior = swing.compute(interactions, run)
        return find_transitions(self, interactions, run.staged(prior, "prior"), run)
