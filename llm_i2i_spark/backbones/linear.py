"""Backbone linear."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from llm_i2i_spark.backbones.base import Backbone, BackboneRun

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class Linear(Backbone):
    """Linear next-item regression: a click on the clicks before it, by ridge regression.

    Every click with clicks before it, of weight c, is a row x of X, x_i = e_i decay^(age of i) for
    each i of the last `history` clicks (e: the weights of the interactions, 1 for a plain click;
    the last click has age 0), and its item the row of Y, one-hot.

        B = argmin of sum over the clicks of c |y - x B|^2 + ridge |B|^2 = (X'X + ridge I)^-1 X'Y
        S(i, j) = B_ij where it is positive, i other than j

    (EASE, Steck, WWW 2019, arXiv:1905.03375, for the closed form of a linear autoencoder of items;
    here the next click is regressed on those before it, as in SLIST, Choi et al., WWW 2021.)
    Synthetic interactions have no position and do not count.

    Up to `dense_items` items B is exact: the driver inverts a matrix of 8 bytes * items^2, twice
    that for a moment (1.2 GB for 12,000 items, 3.2 GB for 20,000). Above, each target is regressed
    on the `sources` items with the largest entries of its column of X'Y alone, a small exact
    regression a target (feature selection as in fsSLIM, Ning and Karypis, ICDM 2011), in Spark's
    tasks; SANSA (Spisak et al., RecSys 2023) approximates the inverse instead.

    Sums are the same to the bit for any partitioning; the driver's matrix products depend on the
    machine in their last bits, so similarities are rounded to 2^-30.
    """

    name: ClassVar[str] = "linear"
    index_normalize: ClassVar[Literal["none", "row"]] = "none"
    index_popularity_exponent: ClassVar[float] = 0.0
    needs_order: ClassVar[bool] = True
    is_symmetric: ClassVar[bool] = False

    history: int = Field(10, ge=1, description="earlier clicks that a click is regressed on")
    decay: float = Field(
        0.8, gt=0, le=1, description="weight of a click relative to the next later one"
    )
    ridge: float = Field(100.0, gt=0, description="of the regression: added to the diagonal")
    dense_items: int = Field(
        20_000, ge=0, description="up to so many clicked items the regression is exact"
    )
    sources: int = Field(
        200, ge=1, description="above: items that the clicks on an item are regressed on"
    )
    top_k: int = Field(400, ge=1, description="neighbours kept an item")

    def compute(self, interactions: DataFrame, run: BackboneRun) -> DataFrame:
        """The similarities of all items; `Backbone.compute` has the contract."""
        from llm_i2i_spark.backbones.linear_engine import regress

        return regress(self, interactions, run)
