"""Yes or No: cross-entropy of the labels of candidates after a history."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.encoding import Encoder, ScoringRequest
from llm_i2i_spark.lm.loss import LossSums, label_loss
from llm_i2i_spark.lm.packing import ROW_TOKENS, pack_rows, ranges
from llm_i2i_spark.lm.scoring import centre_labels
from llm_i2i_spark.lm.trees import Forest, Tree
from llm_i2i_spark.sft.engine import Engine
from llm_i2i_spark.sft.examples import LabelledCandidates

CENTRED_GROUPS = 512
CENTRING_TOKENS = 16_384
"""Tokens of one forward pass while the labels are centred."""


class YesNoObjective:
    """Cross-entropy over (No, Yes); a history is encoded once for all its candidates.

    Args:
        groups: candidates by history; looked at once.
        encoder: encodes them, once.
        device: of the model.
    """

    unit = "histories"
    scored_items = 0

    def __init__(
        self, groups: Iterable[LabelledCandidates], encoder: Encoder, device: torch.device
    ) -> None:
        counts, labels, label_weights, weights = array("q"), bytearray(), array("d"), array("d")

        def trees() -> Iterator[Tree]:
            """Of each history; what goes with them is noted."""
            for group in groups:
                of_group = encoder.trees(group.history, _requests(group))
                counts.append(len(of_group))
                weights.append(group.weight * len(group.labels))
                for tree in of_group:
                    labels.extend(group.labels[request] for request in tree.requests)
                    label_weights.extend([group.weight] * len(tree.requests))
                    yield tree.prefix, tree.suffixes

        self._forest = Forest(trees())
        self._counts = np.array(counts, np.int64)
        self._first_tree = np.cumsum(self._counts) - self._counts
        self._labels = np.frombuffer(labels, np.bool_)
        self._label_weights = np.array(label_weights, np.float64)
        numbers = np.repeat(np.arange(len(counts)), self._counts)
        of_groups = np.bincount(numbers, self._forest.lengths, len(counts))
        self.lengths: NDArray[np.int64] = of_groups.astype(np.int64)
        self.targets = np.zeros_like(self.lengths)
        self._device = device
        self.weights: NDArray[np.float64] = np.array(weights, np.float64)

    def loss(self, engine: Engine, indices: Sequence[int], generator: torch.Generator) -> LossSums:
        """Σ w·CE and Σ w over the labels of some histories, in packed rows."""
        groups = np.array(indices, np.int64)
        trees = ranges(self._first_tree[groups], self._counts[groups])
        lengths = self._forest.lengths[trees].tolist()
        packed = pack_rows(lengths, max(ROW_TOKENS, *lengths))
        rows = [[int(trees[place]) for place in row] for row in packed]
        suffixes = self._forest.suffixes(np.concatenate(rows))
        batch = self._forest.batch(rows).to(self._device)
        items = engine.module.item_rows(engine.module.items_in(batch.tokens))
        hidden = engine(batch.tokens, batch.position_ids, batch.mask, batch.read, items)
        return label_loss(
            engine.module.label_logits(hidden, batch.candidates, items),
            torch.from_numpy(self._labels[suffixes]).to(self._device),
            torch.from_numpy(self._label_weights[suffixes]).to(self._device),
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
