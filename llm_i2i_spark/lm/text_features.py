"""Frozen text features of the catalogue: TF-IDF reduced by a truncated SVD, or the mean-pooled
hidden states of a sentence encoder or a causal language model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_i2i_spark.prompts.render import clean_text

MAX_CHARS = 1000
SMALL_CATALOGUE = 500
"""Items below which words of a single item are kept."""
FITTED_ON = 200_000
"""Items at most that features are fitted on; of a larger catalogue evenly spaced ones."""
AT_ONCE = 50_000
"""Items whose features are made together, where they were fitted on others."""

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
    features = TextFeatures(dims, encoder, seed)
    if len(texts) <= FITTED_ON:
        return features.fit_transform(texts)
    features.fit_transform(texts[:: math.ceil(len(texts) / FITTED_ON)])
    parts = (texts[start : start + AT_ONCE] for start in range(0, len(texts), AT_ONCE))
    return np.concatenate([features.transform(part) for part in parts])


class TextFeatures:
    """Features that are fitted on some texts, and made of any. Travels to Spark's workers.

    Args:
        dims, encoder, seed: as `embed_texts` has them.
    """

    def __init__(self, dims: int, encoder: str | None, seed: int) -> None:
        self._dims, self._encoder, self._seed = dims, encoder, seed
        self._vectorizer: Any = None
        self._common: Any = 0
        self._svd: Any = None

    def fit_transform(self, texts: Sequence[str]) -> Features:
        """Fit on texts; their features."""
        return _unit_length(self._reduced(self._fitted_rows(_cleaned(texts))))

    def transform(self, texts: Sequence[str]) -> Features:
        """Features of other texts, row by row."""
        rows = self._rows(_cleaned(texts))
        return _unit_length(rows if self._svd is None else self._svd.transform(rows))

    def _fitted_rows(self, texts: Sequence[str]) -> Any:
        """Rows of the texts before they are reduced: of TF-IDF, or what an encoder says of each
        less what all have in common, which is most of it where a causal language model says it.
        """
        if self._encoder is not None:
            rows, has_text = self._rows(texts), np.array([bool(text) for text in texts])
            if has_text.sum() > 1:
                self._common = rows[has_text].mean(axis=0)
                rows[has_text] -= self._common
            return rows
        from sklearn.feature_extraction.text import TfidfVectorizer

        # A word of a single item says nothing about others, but a small catalogue has few others.
        self._vectorizer = TfidfVectorizer(
            sublinear_tf=True,
            min_df=1 if len(texts) < SMALL_CATALOGUE else 2,
            stop_words="english",
            dtype=np.float32,
        )
        try:
            return self._vectorizer.fit_transform(texts)
        except ValueError:  # no word in the whole catalogue
            self._vectorizer = None
            return self._rows(texts)

    def _rows(self, texts: Sequence[str]) -> Any:
        if self._encoder is not None:
            from llm_i2i_spark.lm.text_encoder import encode_texts

            rows = encode_texts(texts, Path(self._encoder))
            rows[[bool(text) for text in texts]] -= self._common
            return rows
        if self._vectorizer is None:
            return np.zeros((len(texts), 1), np.float32)
        return self._vectorizer.transform(texts)

    def _reduced(self, rows: Any) -> Features:
        """Rows projected on their first singular vectors (latent semantic analysis)."""
        from sklearn.decomposition import TruncatedSVD

        components = min(self._dims, rows.shape[1] - 1, rows.shape[0] - 1)
        narrow = self._encoder is not None and rows.shape[1] <= self._dims
        if components < 1 or narrow:
            return _dense(rows)
        self._svd = TruncatedSVD(components, n_iter=4, random_state=self._seed)
        return np.asarray(self._svd.fit_transform(rows), np.float32)


def _cleaned(texts: Sequence[str]) -> list[str]:
    return [clean_text(text, MAX_CHARS) for text in texts]


def _dense(rows: Any) -> Features:
    return np.asarray(rows.todense() if hasattr(rows, "todense") else rows, np.float32)


def _unit_length(rows: Any) -> Features:
    features = _dense(rows)
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(
        np.divide(features, norms, out=np.zeros_like(features), where=norms > 1e-9), np.float32
    )
