"""What a target competes with in the generator's softmax: all items, or some that are sampled."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llm_i2i_spark.lm.loss import Negatives, NegativeSampler
from llm_i2i_spark.lm.model import ItemRows
from llm_i2i_spark.sft.engine import Engine


class TargetSoftmax:
    """The negatives of next-item prediction.

    An item with a text that no example holds is no negative: as one throughout it would be taught
    never to be proposed, and its text says more of it than the absence of clicks does.

    Args:
        shown: item tokens (0..T-1) that the examples show.
        predicted: item tokens that are predicted.
        has_text: [T] whether an item token has text features.
        sampled_negatives: M of the sampled softmax; 0 for the full one, which is also used if
            T <= M.
        device: of the model.

    Attributes:
        scored_items: inner products of a target.
    """

    def __init__(
        self,
        shown: NDArray[Any],
        predicted: NDArray[Any],
        has_text: NDArray[np.bool_],
        sampled_negatives: int,
        device: torch.device,
    ) -> None:
        self._device = device
        counts = np.bincount(predicted, minlength=len(has_text))
        negatives = (counts > 0) | ~has_text
        negatives[shown] = True
        self._sampler: NegativeSampler | None = None
        self._every: Negatives | None = None
        if 0 < sampled_negatives < len(has_text):
            self._sampler = NegativeSampler(counts, sampled_negatives, negatives)
        elif not negatives.all():
            every = torch.from_numpy(np.flatnonzero(negatives))
            self._every = Negatives(every, torch.zeros(len(every))).to(device)
        self.scored_items = sampled_negatives if self._sampler else int(negatives.sum())

    def prepared(
        self, engine: Engine, tokens: Tensor, targets: Tensor, generator: torch.Generator
    ) -> tuple[Negatives | None, ItemRows | None]:
        """The negatives of a step, and the embeddings of all items that it needs.

        Args:
            engine: with the model.
            tokens: of the batch.
            targets: item tokens that are predicted.
            generator: what negatives are sampled with.

        Returns:
            None and None for all items, without any that must not be a negative.
        """
        negatives = self._every
        if self._sampler is not None:
            negatives = self._sampler.sample(generator).to(self._device)
        if negatives is None:
            return None, None
        # Most targets are in the histories as well: each item is embedded once a step.
        of_histories = engine.module.items_in(tokens)
        named = torch.cat([of_histories, targets, negatives.item_tokens])
        return negatives, engine.module.item_rows(named)
