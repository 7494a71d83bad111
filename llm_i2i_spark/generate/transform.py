"""What the generator's tasks receive: users in fixed buckets, with their histories and what they
own.
"""

from __future__ import annotations

from pyspark.sql import DataFrame

from llm_i2i_spark.lake.user_histories import user_bucket


def generator_inputs(histories: DataFrame, owned: DataFrame, buckets: int, seed: int) -> DataFrame:
    """Users with history and owned items, one partition a bucket's hash, in a fixed order inside
    it.

    Buckets do not depend on the cluster, so the batches that a model sees are the same on any.

    Args:
        histories: `user_id, history`.
        owned: `user_id, owned array<string>`.
        buckets: how many partitions.
        seed: of the hash.

    Returns:
        `user_id, history, owned`.
    """
    return (
        histories.join(owned, "user_id")
        .withColumn("bucket", user_bucket(buckets, seed))
        .repartition(buckets, "bucket")
        .sortWithinPartitions("bucket", "user_id")
        .select("user_id", "history", "owned")
    )
