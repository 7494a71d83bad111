"""The first run: a synthetic data set, small settings, everything in one folder."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.files import write_atomically
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config

SHOP = (2_000, 2_000)
"""Users and items."""
SMALL_SHOP = (400, 1000)
"""For a chat model, as thin as the logs that the method is for: with 400 items Swing alone finds
more than half of what there is to be found.
"""
CONFIG_FILE = "config.yaml"
PROGRAM = "llm-i2i"

# A small log wants small batches (many steps, yet no more than a first look has time for), the
# whole catalogue in the softmax, and more users to calibrate on.
_SETTINGS = (
    "spark.memory=2g",
    "spark.short_jobs=true",
    "spark.shuffle_partitions=2",
    "export.calibration_share=0.2",
    "sft.batch_size=64",
    "sft.least_steps=0",
    "sft.sampled_negatives=0",
    "sft.discriminator.batch_size=64",
    "generate.partitions=2",
    "discriminate.partitions=2",
)
_COMPACT_MODEL_SETTINGS = ("sft.learning_rate=2e-3",)
_CHAT_MODEL_SETTINGS = (
    "export.layout=sequence",
    "sft.batch_size=32",
    "sft.discriminator.batch_size=32",
    "generate.per_user=20",
)
"""A CPU has time for little more."""


def quickstart_config(workdir: str, settings: Sequence[str], chat_model: bool = False) -> Config:
    """The settings of a quickstart, after making its log and catalogue under `workdir` where they
    are not there yet.

    They are also written to `workdir/config.yaml`, so that any other command can be tried on the
    result.

    Args:
        workdir: the folder for everything; the lake goes to `workdir/lake`.
        settings: further `key=value` settings, on top.
        chat_model: whether a pretrained chat model is fine-tuned, on a smaller log.

    Raises:
        ConfigError: a setting is not one.
        MissingDependencyError: `chat_model` without the extra that has one.
    """
    folder = Path(workdir).expanduser().resolve()
    seed = load_config([], settings).seed
    interactions, items = _data(folder, seed, SMALL_SHOP if chat_model else SHOP)
    chosen = [
        *_SETTINGS,
        f"lake.root={folder / 'lake'}",
        f"ingest.interactions={interactions}",
        f"ingest.items={items}",
    ]
    if chat_model:
        chosen += [*_CHAT_MODEL_SETTINGS, f"sft.base_model={_chat_model(folder)}"]
    else:
        chosen += _COMPACT_MODEL_SETTINGS
    config = load_config([], [*chosen, *settings])
    shown = config.without_secrets()
    values = shown.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    write_atomically(folder / CONFIG_FILE, yaml.safe_dump(values, sort_keys=False))
    return config


def next_steps(workdir: str) -> list[str]:
    """Commands to try on a finished quickstart, in a fresh shell of the same folder.

    Args:
        workdir: as given to `quickstart_config`.
    """
    program = _program()
    config = f"--config {shlex.quote(str(Path(workdir).expanduser() / CONFIG_FILE))}"
    return [
        f"{program} lookup {config} --items i0000,i0240",
        f"{program} audit runs {config}",
        f"{program} index-export {config} --out index.parquet",
    ]


def _program() -> str:
    """This program as a shell finds it: by its name where that is on the PATH, else as it was
    started, such as `.venv/bin/llm-i2i`; under another program, by the interpreter.
    """
    started = Path(sys.argv[0])
    if started.name != PROGRAM:
        return f"{shlex.quote(sys.executable)} -m llm_i2i_spark"
    found = shutil.which(PROGRAM)
    by_name = started.is_absolute() and found is not None and Path(found) == started
    return PROGRAM if by_name else shlex.quote(sys.argv[0])


def _chat_model(folder: Path) -> Path:
    """The folder of the packaged chat model, written once."""
    model = folder / "chat_model"
    if not model.exists():
        from llm_i2i_spark.lm.packaged_model import write_packaged_model

        log_message(f"writing SmolLM2-135M-Instruct to {model}")
        write_packaged_model(model)
    return model


def _data(folder: Path, seed: int, shop: tuple[int, int]) -> tuple[Path, Path]:
    """The files of the log and the catalogue, written once: new files would be a new source, and a
    run that was killed would begin from the start.
    """
    data = folder / "-".join(map(str, ("data", seed, *shop)))
    paths = data / "interactions.parquet", data / "items.parquet"
    if not all(path.exists() for path in paths):
        from llm_i2i_spark.datasets.tables import write_synthetic

        write_synthetic(data, *shop, seed)
    return paths
