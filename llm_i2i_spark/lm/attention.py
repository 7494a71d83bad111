"""One door to attention: which implementation a model runs with, from the settings and the device."""

from __future__ import annotations

import torch
from transformers.utils.import_utils import is_flash_attn_2_available

from llm_i2i_spark.base.errors import MissingDependencyError

FLASH = "flash_attention_2"


def attention_implementation(asked: str, device: torch.device, precision: torch.dtype) -> str:
    """The implementation to load a model with: what was asked for, or the fastest that runs here.

    Args:
        asked: `sft.attention`: auto, flash_attention_2, sdpa or eager.
        device: where the model will run.
        precision: of the weights; FlashAttention-2 runs in half precision only.

    Raises:
        MissingDependencyError: FlashAttention-2 was asked for by name and cannot run.
    """
    flash = device.type == "cuda" and precision != torch.float32 and is_flash_attn_2_available()
    if asked == FLASH and not flash:
        raise MissingDependencyError(
            "FlashAttention-2 needs CUDA, bf16 and the flash-attn package: install"
            " llm-i2i-spark[flash], or set sft.attention=auto."
        )
    if asked == "auto":
        return FLASH if flash else "sdpa"
    return asked


def choose_device(asked: str) -> torch.device:
    """The device for `auto`, `cpu` or `cuda`: a CUDA device where there is one.

    Raises:
        MissingDependencyError: CUDA was asked for by name and there is none.
    """
    if asked == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if asked.startswith("cuda") and not torch.cuda.is_available():
        raise MissingDependencyError(
            "There is no CUDA device here: set the stage's device to auto or cpu."
        )
    return torch.device(asked)
