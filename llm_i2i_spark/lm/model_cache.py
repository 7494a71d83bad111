"""One model a process: the checkpoint that a Python worker used last, kept for later partitions."""

from __future__ import annotations

import gc
from pathlib import Path

import torch

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint, load_checkpoint
from llm_i2i_spark.lm.device import choose_device
from llm_i2i_spark.prompts.templates import Template

_cached: dict[tuple[str, str], LoadedCheckpoint] = {}
"""At most one checkpoint, by its digest and its device."""


def cached_checkpoint(
    folder: str | Path,
    digest: str,
    template: Template,
    device: str = "auto",
    gpu_address: str | None = None,
) -> LoadedCheckpoint:
    """The checkpoint with this digest on this device, loaded only if the process does not hold it.

    Args:
        folder: of the checkpoint.
        digest: model digest that the folder must hold.
        template: wording of the prompts that the model was trained with.
        device: auto, cpu, cuda or cuda:N.
        gpu_address: of the GPU that a scheduler assigned to this process; None: torch's default.

    Raises:
        InputDataError: as `load_checkpoint`, or the folder holds a model with another digest.
        MissingDependencyError: as `choose_device`.
    """
    target = choose_device(device, gpu_address)
    key = (digest, str(target))
    if key not in _cached:
        _cached.clear()  # two models beside each other may not fit on the device
        gc.collect()
        if target.type == "cuda":
            torch.cuda.set_device(target)  # kernels that name no device must not use another GPU
            torch.cuda.empty_cache()
        loaded = load_checkpoint(folder, template, str(target))
        if loaded.digest != digest:
            raise InputDataError(
                f"{folder} holds model {loaded.digest[:12]}, but {digest[:12]} was asked for: run"
                " sft again."
            )
        _cached[key] = loaded
    return _cached[key]
