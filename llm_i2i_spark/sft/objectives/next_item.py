"""Next-item prediction: cross-entropy of the items after a history, each with its weight."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from llm_i2i_spark.lm.encoding import Encoder
from llm_i2i_spark.lm.loss import LossSums, NegativeSampler, item_loss
from llm_i2i_spark.lm.packing import IGNORE_INDEX, Example, pack_rows, packed_batch
from llm_i2i_spark.sft.examples import GeneratorRow

ROW_TOKENS = 64
"""Tokens of a packed row at least."""


class NextItemObjective:
    """Weighted cross-entropy of the targets, in packed rows.

    Args:
        rows: training rows of `sft_generator`; one without a known target is left out.
        encoder: encodes them, once.
        n_item_tokens: T.
        sampled_negatives: M of the sampled softmax; 0 for the full one, which is also used if
            T <= M.
        device: of the model.
    """

    unit = "examples"

    def __init__(
        self,
        rows: Iterable[GeneratorRow],
        encoder: Encoder,
        n_item_tokens: int,
        sampled_negatives: int,
        device: torch.device,
    ) -> None:
        encoded = (encoder.next_item_example(row.history, row.targets, row.weights) for row in rows)
        self._examples: list[Example] = [
            example for example in encoded if (example.targets != IGNORE_INDEX).any()
        ]
        self._lengths = [len(example.tokens) for example in self._examples]
        self._device = device
        self.weights: NDArray[np.float64] = np.array(
            [example.weights.sum(dtype=np.float64) for example in self._examples]
        )
        self._sampler = None
        if 0 < sampled_negatives < n_item_tokens:
            self._sampler = NegativeSampler(
                _target_counts(self._examples, n_item_tokens), sampled_negatives
            )

    def loss(self, engine: Any, indices: Sequence[int], generator: torch.Generator) -> LossSums:
        """Σ w·CE and Σ w of some examples.

        Rows are only as long as the longest example (at least 64 tokens): without FlashAttention a
        row costs its length squared.
        """
        lengths = [self._lengths[index] for index in indices]
        rows = pack_rows(lengths, max(ROW_TOKENS, *lengths))
        batch = packed_batch(
            [[self._examples[indices[position]] for position in row] for row in rows]
        ).to(self._device)
        negatives = self._sampler.sample(generator).to(self._device) if self._sampler else None
        hidden = engine(batch.tokens, batch.position_ids)
        return item_loss(engine.module, hidden, batch.targets, batch.weights, negatives)


def _target_counts(examples: Sequence[Example], n_item_tokens: int) -> NDArray[np.int64]:
    """[T] how often each item token is a target."""
    counts = np.zeros(n_item_tokens, np.int64)
    for example in examples:
        np.add.at(counts, example.targets[example.targets != IGNORE_INDEX], 1)
    return counts
