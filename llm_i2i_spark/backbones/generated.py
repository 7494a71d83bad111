"""Backbone generated."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from llm_i2i_spark.backbones.base import Backbone, BackboneRun

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class Generated(Backbone):
    """The generator's own list: what it expects after an item alone.

        P(j | i) ~ p(j | the history i) ** exponent,

    over the `generate.per_item` most probable next items j of table `item_candidates`; rows are
    scaled to sum 1. This is the language model without an item-to-item model behind it (LLM-I2I,
    ablation "w/o Swing"), asked once an item, so that nothing of it is left at serving time.
    Without proposals, as for variant `real`, the result is empty.

    Interactions do not count, so `support` is null; `synthetic_share` is 1. On DataFrames without a
    lake the proposals are given: `Generated().similar_items(clicks,
    BackboneRun(tables={"item_candidates": proposals}))`, columns `item_id`, `neighbor_id` and
    `log_prob`.
    """

    name: ClassVar[str] = "generated"
    index_normalize: ClassVar[Literal["none", "row"]] = "none"
    index_popularity_exponent: ClassVar[float] = 0.0
    is_symmetric: ClassVar[bool] = False
    reads: ClassVar[tuple[str, ...]] = ("fused", "item_candidates")

    exponent: float = Field(
        0.5, gt=0, description="the probabilities are raised to it: they are sharper than users are"
    )
    top_k: int = Field(400, ge=1, description="neighbours kept an item")

    def compute(self, interactions: DataFrame, run: BackboneRun) -> DataFrame:
        """The similarities of all items with proposals; `Backbone.compute` has the contract."""
        from pyspark.sql import Window
        from pyspark.sql import functions as F

        proposals = run.tables.get("item_candidates")
        if proposals is None:
            nothing = interactions.limit(0)
            proposals = nothing.select(
                "item_id", F.col("item_id").alias("neighbor_id"), F.lit(0.0).alias("log_prob")
            )
        best = Window.partitionBy("item_id").orderBy(
            F.desc("log_prob"), F.length("neighbor_id"), "neighbor_id"
        )
        # Summed in the order of the ranks, so that no bit depends on the order of the rows.
        whole = best.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
        probability = F.exp(F.lit(self.exponent) * F.col("log_prob"))
        kept = proposals.withColumn("_rank", F.row_number().over(best)).where(
            F.col("_rank") <= self.top_k
        )
        return kept.select(
            "item_id",
            "neighbor_id",
            (probability / F.sum(probability).over(whole)).alias("similarity"),
            F.lit(None).cast("int").alias("support"),
            F.lit(1.0).alias("synthetic_share"),
        )
