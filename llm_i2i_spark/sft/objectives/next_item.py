"""Next-item prediction: cross-entropy of the items after a history, each with its weight."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from llm_i2i_spark.lm.encoding import Encoder
from llm_i2i_spark.lm.loss import LossSums, item_loss
from llm_i2i_spark.lm.packing import IGNORE_INDEX, ROW_TOKENS, PackedExamples, pack_rows
from llm_i2i_spark.sft.engine import Engine
from llm_i2i_spark.sft.examples import GeneratorRow
from llm_i2i_spark.sft.objectives.softmax import TargetSoftmax


class NextItemObjective:
    """Weighted cross-entropy of the targets, in packed rows.

    Args:
        rows: training rows of `sft_generator`; one without a known target is left out.
        encoder: encodes them, once.
        has_text: [T] whether an item token has text features.
        sampled_negatives: M of the sampled softmax; 0 for the full one, which is also used if
            T <= M.
        device: of the model.
    """

    unit = "examples"

    def __init__(
        self,
        rows: Iterable[GeneratorRow],
        encoder: Encoder,
        has_text: NDArray[np.bool_],
        sampled_negatives: int,
        device: torch.device,
    ) -> None:
        encoded = (encoder.next_item_example(row.history, row.targets, row.weights) for row in rows)
        self._device = device
        self._examples = PackedExamples(
            example for example in encoded if (example.targets != IGNORE_INDEX).any()
        )
        self.weights: NDArray[np.float64] = self._examples.weights
        self.lengths, self.targets = self._examples.lengths, self._examples.targets
        tokens, targets, _ = self._examples.flat
        self._softmax = TargetSoftmax(
            encoder.item_tokens(tokens),
            targets[targets != IGNORE_INDEX],
            has_text,
            sampled_negatives,
            device,
        )
        self.scored_items = self._softmax.scored_items

    def loss(self, engine: Engine, indices: Sequence[int], generator: torch.Generator) -> LossSums:
        """Σ w·CE and Σ w of some examples.

        Rows are only as long as the longest example (at least 64 tokens): without FlashAttention a
        row costs its length squared.
        """
        lengths = self._examples.lengths[list(indices)].tolist()
        packed = pack_rows(lengths, max(ROW_TOKENS, *lengths))
        rows = [[indices[place] for place in row] for row in packed]
        batch = self._examples.batch(rows).to(self._device)
        targets = batch.targets[batch.targets != IGNORE_INDEX]
        negatives, items = self._softmax.prepared(engine, batch.tokens, targets, generator)
        hidden = engine(batch.tokens, batch.position_ids, items=items)
        return item_loss(engine.module, hidden, batch.targets, batch.weights, negatives, items)
