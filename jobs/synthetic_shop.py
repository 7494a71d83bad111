"""Make a synthetic shop of any size in Spark: spark-submit jobs/synthetic_shop.py --out URI --users
N --items M.

Writes OUT/interactions and OUT/items, as Parquet or Delta, ready for `ingest.interactions` and
`ingest.items`.
"""

from __future__ import annotations

import argparse

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.datasets.shop_tables import shop_catalogue, shop_interactions
from llm_i2i_spark.lake.session import log_file, open_session
from llm_i2i_spark.lake.spark_progress import show_task_progress


def main() -> None:
    """Read the arguments, write both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, help="folder or URI")
    parser.add_argument("--users", type=int, default=2_000)
    parser.add_argument("--items", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--format", choices=("parquet", "delta"), default="parquet")
    parser.add_argument("--partitions", type=int, help="tasks; the rows do not depend on it")
    asked = parser.parse_args()
    config = load_config()
    spark = open_session(config.spark, log_file(config.lake))
    tables = {
        "interactions": shop_interactions(
            spark, asked.users, asked.items, asked.seed, asked.partitions
        ),
        "items": shop_catalogue(spark, asked.items, asked.seed, asked.partitions),
    }
    for name, frame in tables.items():
        path = f"{asked.out.rstrip('/')}/{name}"
        with show_task_progress(spark, f"synthetic shop: {name}"):
            frame.write.format(asked.format).mode("overwrite").save(path)
        log_message(f"synthetic shop: wrote {path}")


if __name__ == "__main__":
    main()
