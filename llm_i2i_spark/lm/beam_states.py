"""Hidden states after prompts and after the beams that continue them, with the keys and values of
all that came before kept, so that each token passes through the model once.

The beams of a user are one row. They share its prompt, and a mask lets each see the prompt and its
own earlier tokens; tokens of beams that were dropped stay where they are, and nobody sees them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DynamicCache

from llm_i2i_spark.lm.model import PAD, ItemLanguageModel
from llm_i2i_spark.lm.packing import Tokens, prompt_batch

Int64Array = NDArray[np.int64]


class Continued(NamedTuple):
    """What tokens that continue beams have led to.

    Attributes:
        hidden: [N, H] hidden states after them.
        columns: [N] where their keys stand, for `BeamStates.after_tokens`.
    """

    hidden: Tensor
    columns: Int64Array


class BeamStates:
    """The hidden states of a batch of prompts and of beams after them.

    Args:
        model: of a generator.
        prompts: token ids of each.
        device: of the model.

    Attributes:
        after_prompts: [B, H] hidden states at the last token of each prompt.
    """

    def __init__(
        self, model: ItemLanguageModel, prompts: Sequence[Tokens], device: torch.device
    ) -> None:
        self._model, self._device = model, device
        self._lengths = np.array([len(prompt) for prompt in prompts], np.int64)
        self._kept = DynamicCache()
        self._columns = int(self._lengths.max())
        tokens, positions, last = (part.to(device) for part in prompt_batch(prompts))
        rows = torch.arange(len(prompts), device=device)
        self.after_prompts: Tensor = model(tokens, positions, at=(rows, last), kept=self._kept)

    def after_tokens(self, rows: Int64Array, paths: Int64Array, tokens: Tokens) -> Continued:
        """Continue beams by one token each.

        Args:
            rows: [N] prompt of each beam, ascending.
            paths: [N, depth] where the beam's earlier tokens stand: their `Continued.columns`.
            tokens: [N] token ids.
        """
        counts = np.bincount(rows, minlength=len(self._lengths))
        width, depth = int(counts.max()), paths.shape[1]
        places = np.arange(len(rows)) - (np.cumsum(counts) - counts)[rows]
        columns = self._columns + places
        shape = len(self._lengths), width
        ids, positions = np.full(shape, PAD, np.int64), np.zeros(shape, np.int64)
        ids[rows, places], positions[rows, places] = tokens, self._lengths[rows] + depth
        mask = np.zeros((*shape, self._columns + width), np.bool_)
        # Padding sees only itself, since a softmax over nothing is no number.
        mask[:, np.arange(width), self._columns + np.arange(width)] = True
        mask[rows, places, : self._lengths.max()] = (
            np.arange(self._lengths.max()) < self._lengths[rows, None]
        )
        mask[rows[:, None], places[:, None], paths] = True
        ids_there, positions_there, seen, *at = (
            torch.from_numpy(part).to(self._device)
            for part in (ids, positions, mask[:, None], rows, places)
        )
        hidden: Tensor = self._model(
            ids_there, positions_there, seen, (at[0], at[1]), kept=self._kept
        )
        self._columns += width
        return Continued(hidden, columns)
