"""Item tokens: one token of its own for every item, or a few semantic codes that similar items
share.

Semantic codes follow TIGER (Rajput et al. 2023): residual k-means on the items' text features,
coarse to fine, and a last code that tells apart the items with the same other codes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from llm_i2i_spark.base.sections.sft import SftConfig
from llm_i2i_spark.lm.text_features import AT_ONCE, FITTED_ON
from llm_i2i_spark.lm.token_limits import CODE_LENGTH, CODE_SIZE, are_atomic

DISTINCT_AMONG = 40
"""Rows a cluster among which as many different ones as clusters are looked for first."""
Codes = NDArray[np.int64]
Features = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ItemVocabulary:
    """The items of the catalogue and their item tokens.

    Attributes:
        item_ids: strictly ascending, so that equal scores ordered by index are ordered by id.
        codes: [n_items, length] item tokens, numbers 0..n_tokens-1; every row is different.
        n_tokens: number of item tokens.
    """

    item_ids: tuple[str, ...]
    codes: Codes
    n_tokens: int

    def __post_init__(self) -> None:
        if any(a >= b for a, b in zip(self.item_ids, self.item_ids[1:], strict=False)):
            raise ValueError("item ids must be strictly ascending")
        if self.codes.ndim != 2 or len(self.codes) != len(self.item_ids):
            raise ValueError(
                f"{len(self.item_ids)} items need as many rows of codes, got an array of shape"
                f" {self.codes.shape}"
            )

    @classmethod
    def atomic(cls, item_ids: Sequence[str]) -> ItemVocabulary:
        """One token an item. `item_ids` must be strictly ascending."""
        return cls(
            tuple(item_ids), np.arange(len(item_ids), dtype=np.int64)[:, None], len(item_ids)
        )

    @classmethod
    def semantic(
        cls,
        item_ids: Sequence[str],
        features: Features,
        length: int = CODE_LENGTH,
        size: int = CODE_SIZE,
        seed: int = 0,
    ) -> ItemVocabulary:
        """A few codes an item: `length` - 1 residual k-means codes, and one that tells apart the
        items with the same ones. Clusters of a large catalogue are those of a sample of it.

        Args:
            item_ids: strictly ascending.
            features: [n_items, F] text features in the order of `item_ids`.
            length: codes an item, at least 2.
            size: clusters a level.
            seed: of the clustering.
        """
        residual = features.astype(np.float32, copy=True)
        levels = np.empty((len(features), length - 1), np.int64)
        for level in range(length - 1):
            labels = _take_centres(residual, size, (seed + level) % 2**32)
            levels[:, level] = labels + level * size
        last = _number_within_groups(levels)
        codes = np.concatenate([levels, last[:, None] + (length - 1) * size], axis=1)
        return cls(tuple(item_ids), codes, int(codes.max(initial=-1)) + 1)

    @property
    def length(self) -> int:
        """Tokens an item."""
        return int(self.codes.shape[1])

    @cached_property
    def _index(self) -> dict[str, int]:
        return {item_id: index for index, item_id in enumerate(self.item_ids)}

    def index(self, item_id: str) -> int | None:
        """Row of an item in `codes`; None for an unknown item."""
        return self._index.get(item_id)

    def token_features(self, features: Features) -> Features:
        """Features of every item token: the item's own, or for a shared code the mean over its
        items.

        Args:
            features: [n_items, F] in the order of `item_ids`.

        Returns:
            [n_tokens, F]; zeros for a token that no item has.
        """
        if self.length == 1:
            return features[np.argsort(self.codes[:, 0])]
        sums = np.zeros((self.n_tokens, features.shape[1]), np.float64)
        counts = np.zeros(self.n_tokens)
        for level in range(self.length):
            np.add.at(sums, self.codes[:, level], features)
            np.add.at(counts, self.codes[:, level], 1)
        return np.asarray(sums / np.maximum(counts, 1)[:, None], np.float32)

    def save(self, folder: Path) -> None:
        """Write `vocabulary.json` and `codes.safetensors` to a folder."""
        # ASCII escapes keep ids with lone surrogates byte-exact, which UTF-8 cannot.
        text = json.dumps({"n_tokens": self.n_tokens, "item_ids": self.item_ids}, ensure_ascii=True)
        (folder / "vocabulary.json").write_text(text, encoding="ascii")
        save_file({"codes": self.codes}, folder / "codes.safetensors")

    @classmethod
    def load(cls, folder: Path) -> ItemVocabulary:
        """The vocabulary that `save` wrote to a folder."""
        values = json.loads((folder / "vocabulary.json").read_text(encoding="ascii"))
        return cls(
            tuple(values["item_ids"]),
            load_file(folder / "codes.safetensors")["codes"],
            int(values["n_tokens"]),
        )


def build_vocabulary(
    config: SftConfig, item_ids: Sequence[str], features: Features, seed: int
) -> ItemVocabulary:
    """The vocabulary of setting `sft.item_tokens`; `auto` takes codes above 200,000 items.

    Args:
        config: the settings of fine-tuning.
        item_ids: strictly ascending.
        features: [n_items, F] text features in the order of `item_ids`.
        seed: of the clustering for semantic codes.
    """
    return (
        ItemVocabulary.atomic(item_ids)
        if are_atomic(config.item_tokens, len(item_ids))
        else ItemVocabulary.semantic(item_ids, features, seed=seed)
    )


def _take_centres(residual: Features, size: int, seed: int) -> NDArray[np.int32]:
    """The cluster of each row (mini-batch k-means), whose centre is taken from it in place."""
    from sklearn.cluster import MiniBatchKMeans  # a second, for those who make codes alone

    sample = residual[:: math.ceil(len(residual) / FITTED_ON) or 1]
    some = sample[: DISTINCT_AMONG * size]
    enough = len(np.unique(some, axis=0)) >= size
    distinct = size if enough else len(np.unique(sample, axis=0))
    clusters = MiniBatchKMeans(
        min(size, distinct), random_state=seed, batch_size=4096, n_init=1
    ).fit(sample)
    labels = np.empty(len(residual), np.int32)
    for start in range(0, len(residual), AT_ONCE):
        rows = residual[start : start + AT_ONCE]
        found = (
            clusters.labels_[start : start + AT_ONCE]
            if len(sample) == len(residual)
            else clusters.predict(rows)
        )
        labels[start : start + AT_ONCE] = found
        rows -= clusters.cluster_centers_[found]
    return labels


def _number_within_groups(codes: Codes) -> Codes:
    """0, 1, 2, ... within each group of rows with the same codes, in the order of rows."""
    _, group = np.unique(codes, axis=0, return_inverse=True)
    group = group.reshape(-1)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    number = np.empty(len(codes), np.int64)
    number[order] = np.arange(len(codes)) - np.repeat(starts, np.diff(starts, append=len(codes)))
    return number
