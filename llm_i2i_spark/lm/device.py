"""Choice of the device: the CPU, a CUDA device, or the very GPU that a scheduler assigned."""

from __future__ import annotations

import os

import torch

from llm_i2i_spark.base.errors import MissingDependencyError


def choose_device(requested: str, gpu_address: str | None = None) -> torch.device:
    """The device for a requested name; `auto` is a CUDA device where there is one.

    Args:
        requested: auto, cpu, cuda or cuda:N.
        gpu_address: address of the GPU that a scheduler assigned to this process, such as "3";
            None: torch's default one. It replaces `cuda` and `auto`, not `cuda:N`.

    Raises:
        MissingDependencyError: CUDA was requested by name and there is none, or the assigned GPU is
            not visible.
    """
    if requested == "auto":
        requested = "cuda" if torch.cuda.is_available() else "cpu"
    if not requested.startswith("cuda"):
        return torch.device(requested)
    if not torch.cuda.is_available():
        raise MissingDependencyError(
            "There is no CUDA device here: set the stage's device to auto or cpu."
        )
    if requested != "cuda" or gpu_address is None:
        return torch.device(requested)
    index = cuda_index(gpu_address, os.environ.get("CUDA_VISIBLE_DEVICES"))
    if index is None or index >= torch.cuda.device_count():
        raise MissingDependencyError(
            f"This task was given GPU {gpu_address}, which is not among the"
            f" {torch.cuda.device_count()} CUDA devices here: let the GPU discovery script print"
            " the indices that executors see."
        )
    return torch.device("cuda", index)


def cuda_index(gpu_address: str, visible_devices: str | None) -> int | None:
    """The index by which CUDA knows a GPU in this process.

    CUDA numbers the devices of `CUDA_VISIBLE_DEVICES` from 0 in their order there, while discovery
    scripts print the machine's own indices or UUIDs.

    Args:
        gpu_address: as the scheduler names the GPU.
        visible_devices: value of `CUDA_VISIBLE_DEVICES`; None where it is not set.

    Returns:
        None where the address is neither listed nor a number.
    """
    listed = [name.strip() for name in (visible_devices or "").split(",")]
    if gpu_address in listed:
        return listed.index(gpu_address)
    return int(gpu_address) if gpu_address.isdecimal() else None
