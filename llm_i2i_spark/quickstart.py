"""The first run: a synthetic shop of the package's own, small settings, everything in one folder."""

from __future__ import annotations

from pathlib import Path

from llm_i2i_spark.base.config import Config
from llm_i2i_spark.base.config_files import load_config
from llm_i2i_spark.ingest.shop_tables import write_shop

USERS, ITEMS = 2_000, 1_500

# A small log wants small batches (many steps) and the whole catalogue in the softmax, and more users to calibrate on.
_SETTINGS = (
    "spark.memory=2g",
    "spark.shuffle_partitions=2",
    "export.calibration_share=0.2",
    "sft.batch_size=64",
    "sft.sampled_negatives=0",
    "sft.learning_rate=2e-3",
    "sft.discriminator.batch_size=64",
    "generate.partitions=2",
    "discriminate.partitions=2",
)


def quickstart_config(workdir: str, settings: list[str]) -> Config:
    """The settings of a quickstart, after making the shop's log and catalogue in `workdir/shop-SEED` where they are not there yet.

    Args:
        workdir: the folder for everything; the lake goes to `workdir/lake`.
        settings: further `key=value` settings, on top.
    """
    folder = Path(workdir).expanduser().resolve()
    seed = load_config([], settings).seed
    shop = folder / f"shop-{seed}"
    interactions, items = shop / "interactions.parquet", shop / "items.parquet"
    # Written once: new files would be a new source, and a run that was killed would begin from the start.
    if not items.exists():
        write_shop(shop, USERS, ITEMS, seed)
    paths = (f"lake.root={folder / 'lake'}", f"ingest.interactions={interactions}", f"ingest.items={items}")
    return load_config([], [*_SETTINGS, *paths, *settings])
