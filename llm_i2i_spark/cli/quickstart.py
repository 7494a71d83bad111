"""The first run: a synthetic data set, small settings, everything in one folder."""

from __future__ import annotations

from pathlib import Path

import yaml

from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.datasets.shop_tables import write_shop

USERS, ITEMS = 2_000, 2_000
CONFIG_FILE = "config.yaml"

# A small log wants small batches (many steps) and the whole catalogue in the softmax, and more
# users to calibrate on.
_SETTINGS = (
    "spark.memory=2g",
    "spark.short_jobs=true",
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
    """The settings of a quickstart, after making the shop's log and catalogue in
    `workdir/shop-SEED` where they are not there yet.

    They are also written to `workdir/config.yaml`, so that any other command can be tried on the
    result.

    Args:
        workdir: the folder for everything; the lake goes to `workdir/lake`.
        settings: further `key=value` settings, on top.
    """
    folder = Path(workdir).expanduser().resolve()
    seed = load_config([], settings).seed
    shop = folder / f"shop-{seed}"
    interactions, items = shop / "interactions.parquet", shop / "items.parquet"
    # Written once: new files would be a new source, and a run that was killed would begin from the
    # start.
    if not items.exists():
        write_shop(shop, USERS, ITEMS, seed)
    paths = (
        f"lake.root={folder / 'lake'}",
        f"ingest.interactions={interactions}",
        f"ingest.items={items}",
    )
    config = load_config([], [*_SETTINGS, *paths, *settings])
    values = config.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    (folder / CONFIG_FILE).write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return config


def next_steps(workdir: str) -> list[str]:
    """Commands to try on a finished quickstart.

    Args:
        workdir: as given to `quickstart_config`.
    """
    config = f"--config {Path(workdir) / CONFIG_FILE}"
    return [
        f"llm-i2i lookup {config} --items i0000,i0007",
        f"llm-i2i audit runs {config}",
        f"llm-i2i index-export {config} --out index.parquet",
    ]
