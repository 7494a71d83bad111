"""Yes or No: cross-entropy of the labels of candidates after a history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.encoding import Encoder, ScoringRequest, SharedPrefixTree
from llm_i2i_spark.lm.loss import LossSums, label_loss
from llm_i2i_spark.lm.packing import tree_batch
from llm_i2i_spark.lm.scoring import centre_labels
from llm_i2i_spark.sft.examples import LabelledCandidates

CENTRED_GROUPS = 512
CENTRING_TOKENS = 16_384
"""Tokens of one forward pass while the labels are centred."""


class YesNoObjective:
    """Cross-entropy over (No, Yes); a history is encoded once for all its candidates.

    Args:
        groups: candidates by history.
        encoder: encodes them, once.
        device: of the model.
    """

    unit = "histories"

    def __init__(
        self, groups: Sequence[LabelledCandidates], encoder: Encoder, device: torch.device
    ) -> None:
        self._trees: list[list[SharedPrefixTree]] = [
            encoder.trees(group.history, _requests(group)) for group in groups
        ]
        self._labels = [np.array(group.labels, np.bool_) for group in groups]
        self._device = device
        self._label_weights = [np.full(len(group.labels), group.weight) for group in groups]
        self.weights: NDArray[np.float64] = np.array(
            [weights.sum() for weights in self._label_weights], np.float64
        )

    def loss(self, engine: Any, indices: Sequence[int], generator: torch.Generator) -> LossSums:
        """Σ w·CE and Σ w over the labels of some histories."""
        numbered = [(index, tree) for index in indices for tree in self._trees[index]]
        trees = [tree for _, tree in numbered]
        labels = np.concatenate([self._labels[index][tree.requests] for index, tree in numbered])
        weights = np.concatenate(
            [self._label_weights[index][tree.requests] for index, tree in numbered]
        )
        batch = tree_batch([tree.prefix for tree in trees], [tree.suffixes for tree in trees]).to(
            self._device
        )
        hidden = engine(batch.tokens, batch.position_ids, batch.mask, batch.read)
        return label_loss(
            engine.module.label_logits(hidden, batch.candidates),
            torch.from_numpy(labels).to(self._device),
            torch.from_numpy(weights).to(self._device),
        )


def centre_on(groups: Sequence[LabelledCandidates], discriminator: LoadedCheckpoint) -> None:
    """Let a discriminator that is about to be trained start with a mean Yes logit of 0 over the
    first groups; changes its model.
    """
    first = groups[:CENTRED_GROUPS]
    centre_labels(
        discriminator,
        [group.history for group in first],
        [_requests(group) for group in first],
        CENTRING_TOKENS,
    )


def _requests(group: LabelledCandidates) -> list[ScoringRequest]:
    return [ScoringRequest(len(group.history), candidate) for candidate in group.candidates]
