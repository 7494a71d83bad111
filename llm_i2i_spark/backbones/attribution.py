"""Backbone attribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from llm_i2i_spark.backbones.base import Backbone, BackboneRun

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class Attribution(Backbone):
    """What language models propose to the users of an item.

        P(j | i) ~ sum over users u of  w(i | u) confidence(u, j) ** exponent,

    w(i | u) ~ e_i decay^(age of i) over the user's latest `history` clicks (e: the weight of the
    interaction), j a synthetic interaction of the user; rows are scaled to sum 1. Swing needs two
    users who share two items, and synthetic interactions are too scattered for that; here each one
    counts by itself. Without synthetic interactions the result is empty.
    """

    name: ClassVar[str] = "attribution"
    index_normalize: ClassVar[Literal["none", "row"]] = "none"
    index_popularity_exponent: ClassVar[float] = 0.0
    needs_order: ClassVar[bool] = True
    is_symmetric: ClassVar[bool] = False

    history: int = Field(10, ge=1, description="latest clicks of a user that a proposal counts for")
    decay: float = Field(
        0.8, gt=0, le=1, description="weight of a click relative to the next later one"
    )
    confidence_exponent: float = Field(
        0.5, gt=0, description="a synthetic interaction counts confidence ** exponent"
    )
    top_k: int = Field(400, ge=1, description="neighbours kept an item")

    def compute(self, interactions: DataFrame, run: BackboneRun) -> DataFrame:
        """The similarities of all items; `Backbone.compute` has the contract."""
        from llm_i2i_spark.backbones.attribution_engine import attribute

        return attribute(self, interactions)
