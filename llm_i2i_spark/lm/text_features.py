"""Frozen text features of the catalogue: TF-IDF reduced by a truncated SVD, or the mean-pooled
hidden states of a sentence encoder or a causal language model.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from llm_i2i_spark.base.console import track
from llm_i2i_spark.lm.device import choose_device
from llm_i2i_spark.lm.model_folder import check_model_folder, require_all_weights
from llm_i2i_spark.prompts.render import clean_text

MAX_CHARS = 1000
ENCODER_TOKENS = 256
ENCODER_BATCH = 64
UNREAD_WEIGHTS = ("pooler.",)
"""Weights behind the last hidden states, which many published encoders lack."""
SMALL_CATALOGUE = 500
"""Items below which words of a single item are kept."""

Features = NDArray[np.float32]


def embed_texts(texts: Sequence[str], dims: int, encoder: str | None, seed: int) -> Features:
    """Features of texts: rows of unit length; zeros for a text without any known word.

    Args:
        texts: one an item; cleaned and cut to 1,000 characters here.
        dims: number of columns at most.
        encoder: directory of a sentence encoder or causal LM; None for TF-IDF and SVD.
        seed: of the randomised SVD.

    Returns:
        [n, <= dims] float32.

    Raises:
        InputDataError: the encoder's folder contains code, or lacks weights of the model.
    """
    cleaned = [clean_text(text, MAX_CHARS) for text in texts]
    features = (
        _tfidf_features(cleaned, dims, seed)
        if encoder is None
        else _encoder_features(cleaned, dims, Path(encoder), seed)
    )
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(
        np.divide(features, norms, out=np.zeros_like(features), where=norms > 1e-9), np.float32
    )


def _tfidf_features(texts: Sequence[str], dims: int, seed: int) -> Features:
    """Latent semantic analysis: log-scaled TF-IDF, projected on its first singular vectors."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    # A word of a single item says nothing about others, but a small catalogue has few other words.
    min_df = 1 if len(texts) < SMALL_CATALOGUE else 2
    try:
        tfidf = TfidfVectorizer(
            sublinear_tf=True, min_df=min_df, stop_words="english", dtype=np.float32
        ).fit_transform(texts)
    except ValueError:  # no word in the whole catalogue
        return np.zeros((len(texts), 1), np.float32)
    return _reduce_dimensions(tfidf, dims, seed)


def _reduce_dimensions(rows: NDArray[np.float32], dims: int, seed: int) -> Features:
    from sklearn.decomposition import TruncatedSVD

    components = min(dims, rows.shape[1] - 1, rows.shape[0] - 1)
    if components < 1:
        return np.asarray(rows.todense() if hasattr(rows, "todense") else rows, np.float32)
    return np.asarray(
        TruncatedSVD(components, n_iter=4, random_state=seed).fit_transform(rows), np.float32
    )


def _encoder_features(texts: Sequence[str], dims: int, folder: Path, seed: int) -> Features:
    """Mean of the encoder's last hidden states over the tokens of each text, less what all texts
    have in common: most of it, where a causal language model made them.
    """
    from transformers import AutoModel, AutoTokenizer

    check_model_folder(folder)
    device = choose_device("auto")
    tokenizer = AutoTokenizer.from_pretrained(
        folder, trust_remote_code=False, local_files_only=True
    )
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
    features: Features = np.zeros((len(texts), model.config.hidden_size), np.float32)
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
        features[indices] = ((states * mask).sum(1) / mask.sum(1).clamp(min=1)).cpu().numpy()
    has_text = np.array([bool(text) for text in texts])
    features[~has_text] = 0
    features[has_text] -= features[has_text].mean(axis=0) if has_text.sum() > 1 else 0
    return _reduce_dimensions(features, dims, seed) if features.shape[1] > dims else features
