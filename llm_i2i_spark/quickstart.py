"""The first run: a synthetic shop of the package's own, small settings, everything in one folder."""

from __future__ import annotations

from pathlib import Path

from llm_i2i_spark.base.config import Config
from llm_i2i_spark.base.config_files import load_config
from llm_i2i_spark.ingest.shop import write_shop

USERS, ITEMS = 2_000, 1_500

_SETTINGS = (
    "spark.memory=2g",
    "spark.shuffle_partitions=4",
    "generate.partitions=2",
    "discriminate.partitions=2",
)


def quickstart_config(workdir: str, settings: list[str]) -> Config:
    """Make the shop's log and catalogue in `workdir/shop` and the settings that run on them.

    Args:
        workdir: the folder for everything; the lake goes to `workdir/lake`.
        settings: further `key=value` settings, on top.
    """
    folder = Path(workdir).expanduser().resolve()
    seed = load_config([], settings).seed
    interactions, items = write_shop(folder / "shop", USERS, ITEMS, seed)
    paths = (f"lake.root={folder / 'lake'}", f"ingest.interactions={interactions}", f"ingest.items={items}")
    return load_config([], [*_SETTINGS, *paths, *settings])
