"""Backbone text."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from llm_i2i_spark.backbones.base import Backbone, BackboneRun
from llm_i2i_spark.base.errors import InputDataError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class Text(Backbone):
    """Nearest neighbours by text: the cosine of two items' text features x, sharpened.

        S(i, j) = max(cos(x_i, x_j), 0)^exponent

    (Content-based filtering: Lops, de Gemmis and Semeraro, Recommender Systems Handbook, 2011; the
    features are TF-IDF reduced by latent semantic analysis, Deerwester et al., JASIS 1990, or those
    of a sentence encoder.) Every item of table `item_features` has neighbours, clicked or not; an
    item without any known word has none and is none. The search is exact: all pairs are compared.
    100,000 items of 192 dimensions take some 100 core-seconds, and four times as long where there
    are twice as many; a worker holds the features of all items, 4 bytes a number.

    Interactions do not count, so `support` is null and `synthetic_share` 0. On DataFrames without a
    lake the features are given: `Text().similar_items(clicks, BackboneRun(tables={"item_features":
    features}))`, columns `item_id` and `features`, an array of as many numbers for every item.
    """

    name: ClassVar[str] = "text"
    index_normalize: ClassVar[Literal["none", "row"]] = "none"
    index_popularity_exponent: ClassVar[float] = 0.0
    reads: ClassVar[tuple[str, ...]] = ("fused", "item_features")

    exponent: float = Field(4.0, gt=0, description="the cosine is raised to it: the lead of few")
    least_similarity: float = Field(
        0.0, ge=0, lt=1, description="cosine that a neighbour must exceed"
    )
    top_k: int = Field(400, ge=1, description="neighbours kept an item")

    def compute(self, interactions: DataFrame, run: BackboneRun) -> DataFrame:
        """The similarities of all items that have features; `Backbone.compute` has the contract.

        Raises:
            InputDataError: there are no features, or they do not fit.
        """
        from llm_i2i_spark.backbones.nearest_engine import find_nearest

        features = run.tables.get("item_features")
        if features is None:
            raise InputDataError(
                "Backbone text compares the features of items: pass them as"
                ' BackboneRun(tables={"item_features": features}), a Spark DataFrame with the'
                " columns item_id and features."
            )
        return find_nearest(
            features,
            run,
            top_k=self.top_k,
            exponent=self.exponent,
            least_similarity=self.least_similarity,
        )
