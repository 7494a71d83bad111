"""What a generator makes of a history, as a vector: its hidden state where it predicts the next
item; and where it places items, as vectors of unit length.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.model import ItemLanguageModel
from llm_i2i_spark.lm.packing import Tokens, prompt_batch, token_batches
from llm_i2i_spark.prompts.items import Item

Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]


def states_after(
    model: ItemLanguageModel, prompts: Sequence[Tokens], device: torch.device
) -> Tensor:
    """[B, H] hidden states at the last token of each prompt, in one forward pass."""
    tokens, positions, last = (part.to(device) for part in prompt_batch(prompts))
    rows = torch.arange(len(prompts), device=device)
    hidden: Tensor = model(tokens, positions, at=(rows, last))
    return hidden


@torch.inference_mode()
def history_states(
    checkpoint: LoadedCheckpoint, histories: Sequence[Sequence[Item]], batch_tokens: int
) -> Float32Array:
    """The hidden state after each history, from which the next item is predicted.

    Args:
        checkpoint: of a generator.
        histories: items of each user, oldest first.
        batch_tokens: tokens of one forward pass at most, padding counted.

    Returns:
        [n, H], rows of unit length.

    Raises:
        StageError: a state is NaN or infinite.
    """
    prompts = [checkpoint.encoder.prompt(history) for history in histories]
    # An order of contents, so that batches do not depend on the order of the rows.
    order = sorted(range(len(prompts)), key=lambda row: (len(prompts[row]), prompts[row].tobytes()))
    states = np.zeros((len(prompts), checkpoint.model.hidden_size), np.float32)
    for batch in token_batches([len(prompts[row]) for row in order], batch_tokens):
        rows = [order[position] for position in batch]
        shown = [prompts[row] for row in rows]
        checkpoint.reading.tokens += sum(map(len, shown))
        of_batch = states_after(checkpoint.model, shown, checkpoint.device)
        states[rows] = of_batch.float().cpu().numpy()
    if not np.isfinite(states).all():
        raise StageError(
            "retrieve: the model's hidden states are not numbers (NaN or infinite), so its"
            " checkpoint is unusable: run sft again."
        )
    return unit_rows(states)


@torch.inference_mode()
def item_directions(checkpoint: LoadedCheckpoint, items: Int64Array) -> Float32Array:
    """Where the generator places items: their embeddings, of several tokens the mean.

    Args:
        checkpoint: of a generator.
        items: [n] indices in the vocabulary.

    Returns:
        [n, H], rows of unit length.
    """
    codes = checkpoint.vocabulary.codes[items]
    tokens, inverse = np.unique(codes, return_inverse=True)
    embeddings = checkpoint.model.item_embeddings(torch.from_numpy(tokens).to(checkpoint.device))
    of_tokens = embeddings.float().cpu().numpy()[inverse.reshape(codes.shape)]
    return unit_rows(of_tokens.mean(axis=1))


def unit_rows(rows: Float32Array) -> Float32Array:
    """The rows [n, H] divided by their lengths; zeros stay zeros."""
    lengths = np.sqrt((rows.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
    unit = np.divide(rows, lengths, out=np.zeros(rows.shape), where=lengths > 0)
    return np.asarray(unit, np.float32)
