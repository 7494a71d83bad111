"""Checkpoints of combiners: folders that are complete or absent, and verified byte by byte on
loading. No torch.

combiner.safetensors   the tensors of `kernels.combiner.TENSORS`
training.jsonl         a line of JSON for each epoch
manifest.json          fields of the run, and sha256 and size of the other files; written last
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from llm_i2i_spark.base.contracts import TRAINING_CURVE
from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.base.extras import optional_imports
from llm_i2i_spark.base.files import folder_atomically
from llm_i2i_spark.base.manifest import verify_manifest, write_manifest
from llm_i2i_spark.base.phases import reached
from llm_i2i_spark.kernels.combiner import TENSORS, Combiner

WEIGHTS = "combiner.safetensors"
STAGE = "combine"


class CombinerCheckpoint(NamedTuple):
    """A combiner read back.

    Attributes:
        combiner: ready for use.
        digest: that `save_combiner` returned.
        fields: of the manifest.
    """

    combiner: Combiner
    digest: str
    fields: dict[str, Any]


def save_combiner(
    folder: str | Path,
    combiner: Combiner,
    curve: Sequence[Mapping[str, Any]],
    fields: Mapping[str, Any],
) -> str:
    """Write a checkpoint, so that no reader ever sees a part of one.

    Args:
        folder: of the checkpoint; an existing one is replaced.
        combiner: to save.
        curve: of each epoch, what its line says.
        fields: kept in the manifest.

    Returns:
        The model digest: hex sha256 over the sorted names and digests of all files.
    """
    with optional_imports():
        from safetensors.numpy import save_file

    with folder_atomically(Path(folder)) as hidden:
        save_file({name: getattr(combiner, name) for name in TENSORS}, hidden / WEIGHTS)
        reached("checkpoint file")
        lines = "".join(json.dumps(dict(point), sort_keys=True) + "\n" for point in curve)
        (hidden / TRAINING_CURVE).write_text(lines, encoding="utf-8")
        reached("checkpoint file")
        return write_manifest(hidden, fields)


def load_combiner(folder: str | Path, digest: str) -> Combiner:
    """The combiner of a row of the table `combiners`.

    Args:
        folder: its `path`.
        digest: its `model_digest`.

    Raises:
        InputDataError: a file is missing, changed or not in the manifest, or the folder holds
            another combiner.
        MissingDependencyError: safetensors is not installed.
    """
    found = read_checkpoint(folder)
    if found.digest != digest:
        raise InputDataError(
            f"{folder} holds another combiner than the table combiners says: run {STAGE} again."
        )
    return found.combiner


def read_checkpoint(folder: str | Path) -> CombinerCheckpoint:
    """A checkpoint, after verifying every byte of it.

    Raises:
        InputDataError: a file is missing, changed or not in the manifest.
        MissingDependencyError: safetensors is not installed.
    """
    with optional_imports():
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

    source = Path(folder)
    manifest = verify_manifest(source, STAGE)
    try:
        tensors = load_file(source / WEIGHTS)
        combiner = Combiner(**{name: tensors[name] for name in TENSORS})
    except (OSError, SafetensorError, KeyError) as error:
        raise InputDataError(
            f"{source / WEIGHTS} is not the weights of a combiner ({error}): run {STAGE} again."
        ) from error
    return CombinerCheckpoint(combiner, str(manifest["model_digest"]), manifest["fields"])
