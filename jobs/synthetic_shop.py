"""Make a synthetic log and catalogue of any size in Spark.

    spark-submit jobs/synthetic_shop.py --out URI --users 10000000 --items 1000000

Writes OUT/interactions and OUT/items, as Parquet or Delta, for `ingest.interactions` and
`ingest.items`. The rows depend on users, items and seed alone.
"""

from __future__ import annotations

import argparse
import sys

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.errors import LlmI2iError
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.datasets.tables import synthetic_catalogue, synthetic_interactions
from llm_i2i_spark.lake.session import log_file, open_session
from llm_i2i_spark.lake.spark_progress import show_task_progress


def main() -> None:
    """Read the arguments, write both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", required=True, help="folder or URI")
    parser.add_argument("--users", type=int, default=2_000)
    parser.add_argument("--items", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--format", choices=("parquet", "delta"), default="parquet")
    parser.add_argument("--partitions", type=int, help="tasks; the rows do not depend on it")
    options = parser.parse_args()
    size = options.items, options.seed, options.partitions
    config = load_config()
    spark = open_session(config.spark, log_file(config.lake))
    tables = {
        "interactions": synthetic_interactions(spark, options.users, *size),
        "items": synthetic_catalogue(spark, *size),
    }
    for name, frame in tables.items():
        path = f"{options.out.rstrip('/')}/{name}"
        with show_task_progress(spark, f"synthetic data: {name}"):
            frame.write.format(options.format).mode("overwrite").save(path)
        log_message(f"synthetic data: wrote {path}")


if __name__ == "__main__":
    try:
        main()
    except LlmI2iError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
