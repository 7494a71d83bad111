"""Frozen text features of the catalogue: TF-IDF reduced by a truncated SVD, or the mean-pooled
states of a sentence encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from transformers import AutoModel, AutoTokenizer

from llm_i2i_spark.base.console import track
from llm_i2i_spark.lm.attention import choose_device
from llm_i2i_spark.lm.model_folder import check_model_folder
from llm_i2i_spark.prompts.render import clean_text

MAX_CHARS = 1000
ENCODER_TOKENS = 256
ENCODER_BATCH = 64
RARE_WORDS_FROM = 500

Features = NDArray[np.float32]


def embed_texts(texts: Sequence[str], dims: int, encoder: str | None, seed: int) -> Features:
    """Features of texts, rows of unit length; a text without any known word is a row of zeros.

    Args:
        texts: one an item, cleaned and cut to 1,000 characters here.
        dims: columns at most.
        encoder: directory of a sentence encoder; None for TF-IDF and SVD.
        seed: of the randomised SVD.

    Returns:
        [n, <= dims] float32.

    Raises:
        UserError: the encoder's folder brings code, or no safetensors.
    """
    cleaned = [clean_text(text, MAX_CHARS) for text in texts]
    features = (
        _latent_words(cleaned, dims, seed)
        if encoder is None
        else _encoded_sentences(cleaned, dims, Path(encoder), seed)
    )
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(
        np.divide(features, lengths, out=np.zeros_like(features), where=lengths > 1e-9), np.float32
    )


def _latent_words(texts: Sequence[str], dims: int, seed: int) -> Features:
    """Latent semantic analysis: log-scaled TF-IDF, projected on its first singular vectors."""
    # A word that one item alone has says nothing about others; a small catalogue has few other
    # words.
    rarest = 2 if len(texts) >= RARE_WORDS_FROM else 1
    try:
        words = TfidfVectorizer(
            sublinear_tf=True, min_df=rarest, stop_words="english", dtype=np.float32
        ).fit_transform(texts)
    except ValueError:  # not one word in the whole catalogue
        return np.zeros((len(texts), 1), np.float32)
    return _reduced(words, dims, seed)


def _reduced(rows: NDArray[np.float32], dims: int, seed: int) -> Features:
    components = min(dims, rows.shape[1] - 1, rows.shape[0] - 1)
    if components < 1:
        return np.asarray(rows.todense() if hasattr(rows, "todense") else rows, np.float32)
    return np.asarray(
        TruncatedSVD(components, n_iter=4, random_state=seed).fit_transform(rows), np.float32
    )


def _encoded_sentences(texts: Sequence[str], dims: int, folder: Path, seed: int) -> Features:
    check_model_folder(folder)
    device = choose_device("auto")
    tokenizer = AutoTokenizer.from_pretrained(
        folder, trust_remote_code=False, local_files_only=True
    )
    model = AutoModel.from_pretrained(
        folder,
        trust_remote_code=False,
        use_safetensors=True,
        local_files_only=True,
        dtype=torch.float32,
    )
    model.to(device).eval()
    order = sorted(range(len(texts)), key=lambda index: (len(texts[index]), index))
    features: Features = np.zeros((len(texts), model.config.hidden_size), np.float32)
    starts = range(0, len(order), ENCODER_BATCH)
    for start in track(starts, "encode item texts", total=len(starts), unit="batches"):
        chosen = order[start : start + ENCODER_BATCH]
        batch = tokenizer(
            [texts[index] for index in chosen],
            padding=True,
            truncation=True,
            max_length=ENCODER_TOKENS,
            return_tensors="pt",
        ).to(device)
        with torch.inference_mode():
            states = model(**batch).last_hidden_state
        shown = batch["attention_mask"][..., None].to(states.dtype)
        features[chosen] = ((states * shown).sum(1) / shown.sum(1).clamp(min=1)).cpu().numpy()
    return _reduced(features, dims, seed) if features.shape[1] > dims else features
