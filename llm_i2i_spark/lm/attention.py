"""Choice of the attention implementation, from the setting, the device and the precision; and what
`transformers` calls keys and values that are kept.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from transformers.utils.import_utils import is_flash_attn_2_available

from llm_i2i_spark.base.errors import MissingDependencyError

FLASH = "flash_attention_2"


def attention_implementation(requested: str, device: torch.device, precision: torch.dtype) -> str:
    """The implementation to load a model with: the requested one, or the fastest that runs here.

    Args:
        requested: `sft.attention`: auto, flash_attention_2, sdpa or eager.
        device: of the model.
        precision: of the weights; FlashAttention-2 runs in half precision only.

    Raises:
        MissingDependencyError: FlashAttention-2 was requested by name and cannot run.
    """
    flash = device.type == "cuda" and precision != torch.float32 and is_flash_attn_2_available()
    if requested == FLASH and not flash:
        raise MissingDependencyError(
            "FlashAttention-2 needs CUDA, bf16 and the flash-attn package: install"
            " llm-i2i-spark[flash], or set sft.attention=auto."
        )
    if requested == "auto":
        return FLASH if flash else "sdpa"
    return requested


def cache_argument(backbone: Any) -> str:
    """The name under which a forward pass of `transformers` takes kept keys and values; it has
    changed.
    """
    named = inspect.signature(backbone.forward).parameters
    return "cache" if "cache" in named else "past_key_values"
