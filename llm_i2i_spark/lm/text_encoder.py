"""Texts through a sentence encoder or a causal LM: the mean of its last hidden states."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from llm_i2i_spark.base.console import track
from llm_i2i_spark.lm.device import choose_device
from llm_i2i_spark.lm.model_folder import (
    check_model_folder,
    require_all_weights,
    without_progress_bars,
)

ENCODER_TOKENS = 256
ENCODER_BATCH = 64
UNREAD_WEIGHTS = ("pooler.",)
"""Weights behind the last hidden states, which many published encoders lack."""


def encode_texts(texts: Sequence[str], folder: Path) -> NDArray[np.float32]:
    """Mean of an encoder's last hidden states over the tokens of each text.

    Args:
        texts: of any length; what is beyond 256 tokens is not read.
        folder: of the encoder.

    Returns:
        [n, hidden size], zeros for an empty text.

    Raises:
        InputDataError: the folder contains code, or lacks weights of the model.
    """
    from transformers import AutoModel, AutoTokenizer

    check_model_folder(folder)
    device = choose_device("auto")
    tokenizer = AutoTokenizer.from_pretrained(
        folder, trust_remote_code=False, local_files_only=True
    )
    with without_progress_bars():
        model, loading = AutoModel.from_pretrained(
            folder,
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=True,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    require_all_weights(folder, loading, UNREAD_WEIGHTS)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "right"  # no token of a text then sees one
    model.to(device).eval()
    order = sorted(range(len(texts)), key=lambda index: (len(texts[index]), index))
    states_of: NDArray[np.float32] = np.zeros((len(texts), model.config.hidden_size), np.float32)
    starts = range(0, len(order), ENCODER_BATCH)
    for start in track(starts, "encode item texts", total=len(starts), unit="batches"):
        indices = order[start : start + ENCODER_BATCH]
        batch = tokenizer(
            [texts[index] for index in indices],
            padding=True,
            truncation=True,
            max_length=ENCODER_TOKENS,
            return_tensors="pt",
        ).to(device)
        with torch.inference_mode():
            states = model(**batch).last_hidden_state
        mask = batch["attention_mask"][..., None].to(states.dtype)
        states_of[indices] = ((states * mask).sum(1) / mask.sum(1).clamp(min=1)).cpu().numpy()
    states_of[[not text for text in texts]] = 0
    return states_of
