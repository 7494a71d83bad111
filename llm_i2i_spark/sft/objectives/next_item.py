"""Next-item prediction: cross-entropy of the items after a history, each with its weight."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from llm_i2i_spark.lm.encoding import Encoder
from llm_i2i_spark.lm.loss import LossSums, Negatives, NegativeSampler, item_loss
from llm_i2i_spark.lm.packing import IGNORE_INDEX, ROW_TOKENS, Example, PackedExamples, pack_rows
from llm_i2i_spark.sft.engine import Engine
from llm_i2i_spark.sft.examples import GeneratorRow


class NextItemObjective:
    """Weighted cross-entropy of the targets, in packed rows.

    An item with a text that no example holds is no negative: as one throughout it would be taught
    never to be proposed, and its text says more of it than the absence of clicks does.

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
        examples = [example for example in encoded if (example.targets != IGNORE_INDEX).any()]
        self._examples, self._device = PackedExamples(examples), device
        self.weights: NDArray[np.float64] = self._examples.weights
        self.lengths, self.targets = self._examples.lengths, self._examples.targets
        counts, occurs = _token_counts(examples, encoder, len(has_text))
        negatives = occurs | ~has_text
        self._sampler: NegativeSampler | None = None
        self._every: Negatives | None = None
        if 0 < sampled_negatives < len(has_text):
            self._sampler = NegativeSampler(counts, sampled_negatives, negatives)
        elif not negatives.all():
            tokens = torch.from_numpy(np.flatnonzero(negatives))
            self._every = Negatives(tokens, torch.zeros(len(tokens))).to(device)
        self.scored_items = sampled_negatives if self._sampler else int(negatives.sum())

    def loss(self, engine: Engine, indices: Sequence[int], generator: torch.Generator) -> LossSums:
        """Σ w·CE and Σ w of some examples.

        Rows are only as long as the longest example (at least 64 tokens): without FlashAttention a
        row costs its length squared.
        """
        lengths = self._examples.lengths[list(indices)].tolist()
        packed = pack_rows(lengths, max(ROW_TOKENS, *lengths))
        rows = [[indices[place] for place in row] for row in packed]
        batch = self._examples.batch(rows).to(self._device)
        negatives = self._every
        if self._sampler is not None:
            negatives = self._sampler.sample(generator).to(self._device)
        items = None
        if negatives is not None:
            # Most targets are in the histories as well: each item is embedded once a step.
            targets = batch.targets[batch.targets != IGNORE_INDEX]
            of_histories = engine.module.items_in(batch.tokens)
            named = torch.cat([of_histories, targets, negatives.item_tokens])
            items = engine.module.item_rows(named)
        hidden = engine(batch.tokens, batch.position_ids, items=items)
        return item_loss(engine.module, hidden, batch.targets, batch.weights, negatives, items)


def _token_counts(
    examples: Sequence[Example], encoder: Encoder, n_item_tokens: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """[T] how often each item token is a target, and whether any example holds it."""
    counts = np.zeros(n_item_tokens, np.int64)
    occurs = np.zeros(n_item_tokens, np.bool_)
    for example in examples:
        np.add.at(counts, example.targets[example.targets != IGNORE_INDEX], 1)
        occurs[encoder.item_tokens(example.tokens)] = True
    return counts, occurs | (counts > 0)
