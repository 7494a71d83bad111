"""A backbone of one's own: the Jaccard index of two items' users (Jaccard 1901)."""

from typing import ClassVar

import pandas as pd
from pydantic import Field
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from llm_i2i_spark import Recall, evaluate_index, split_interactions, to_index
from llm_i2i_spark.backbones.base import Backbone, BackboneRun
from llm_i2i_spark.datasets.tables import write_synthetic


class Jaccard(Backbone):
    """S(i, j) = users of both items / users of either."""

    name: ClassVar[str] = "jaccard"
    top_k: int = Field(400, ge=1, description="neighbors kept an item")

    def compute(self, interactions: DataFrame, run: BackboneRun) -> DataFrame:
        """The similarities of all items; see `Backbone.compute`."""
        rows = interactions.select("user_id", "item_id")
        others = rows.withColumnRenamed("item_id", "neighbor_id")
        users = rows.groupBy("item_id").agg(F.count("*").alias("n"))
        neighbor_users = users.select(F.col("item_id").alias("neighbor_id"), F.col("n").alias("m"))
        pairs = (
            rows.join(others, "user_id")
            .where("item_id <> neighbor_id")
            .groupBy("item_id", "neighbor_id")
            .agg(F.count("*").cast("int").alias("support"))
            .join(users, "item_id")
            .join(neighbor_users, "neighbor_id")
            .withColumn(
                "similarity", F.col("support") / (F.col("n") + F.col("m") - F.col("support"))
            )
        )
        either = F.col("n") + F.col("m") - F.col("support")
        best = Window.partitionBy("item_id").orderBy(F.desc("similarity"), "neighbor_id")
        return (
            pairs.withColumn("similarity", F.col("support") / either)
            .withColumn("rank", F.row_number().over(best))
            .where(F.col("rank") <= self.top_k)
            .select(
                "item_id",
                "neighbor_id",
                "similarity",
                "support",
                F.lit(None).cast("double").alias("synthetic_share"),
            )
        )


clicks = pd.read_parquet(write_synthetic("data", n_users=300, n_items=240)[0])
log = split_interactions(clicks, holdout="last_1")
similar = Jaccard(top_k=50).similar_items(log.where("fold = 'train'"))
print(evaluate_index(to_index(similar), log, metrics=[Recall(10)]))
