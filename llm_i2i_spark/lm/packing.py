"""Token sequences as padded batches: training examples packed into rows, and prompts.

Position ids that restart at 0 keep packed examples apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

IGNORE_INDEX = -100
ROW_TOKENS = 64
"""Tokens of a packed row at least, in training."""

Tokens = NDArray[np.int64]


class Example(NamedTuple):
    """One training example of n tokens.

    Attributes:
        tokens: [n] token ids.
        targets: [n] the item token (0..T-1) to predict from each token; IGNORE_INDEX for none.
        weights: [n] float32 loss weights; 0 where nothing is predicted.
    """

    tokens: Tokens
    targets: Tokens
    weights: NDArray[np.float32]


class PackedBatch(NamedTuple):
    """Rows of packed examples.

    Attributes:
        tokens: [B, L] token ids.
        position_ids: [B, L] restarting at 0 with every example.
        targets: [B, L] as in `Example`.
        weights: [B, L] as in `Example`.
    """

    tokens: Tensor
    position_ids: Tensor
    targets: Tensor
    weights: Tensor

    def to(self, device: torch.device) -> PackedBatch:
        """The batch on another device."""
        return PackedBatch(*(part.to(device, non_blocking=True) for part in self))


def ranges(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers start, start + 1, ... of several ranges, one after another.

    >>> ranges(np.array([7, 0]), np.array([2, 3])).tolist()
    [7, 8, 0, 1, 2]
    """
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    shifts = np.repeat(starts - (ends - lengths), lengths)
    return np.asarray(np.arange(total) + shifts, np.int64)


def pack_rows(lengths: Sequence[int], max_length: int) -> list[list[int]]:
    """Which examples share a row: first-fit decreasing bin packing, equal lengths in their order.

    Args:
        lengths: tokens of each example; one longer than max_length gets a row of its own.
        max_length: tokens a row.

    Returns:
        Indices of the examples of each row.
    """
    rows: list[list[int]] = []
    free: list[int] = []  # tokens left in each row
    first_open = 0  # rows before it cannot take even the shortest example
    shortest = min(lengths, default=0)
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        for row in range(first_open, len(rows)):
            if free[row] >= lengths[index]:
                rows[row].append(index)
                free[row] -= lengths[index]
                break
        else:
            rows.append([index])
            free.append(max_length - lengths[index])
        while first_open < len(rows) and free[first_open] < shortest:
            first_open += 1
    return rows


class PackedExamples:
    """Examples as flat arrays, of which a batch is a few operations on arrays.

    Args:
        examples: any number.

    Attributes:
        lengths: [n] tokens of each example.
        targets: [n] how many tokens are predicted from each.
        weights: [n] sum of the loss weights of each example.
    """

    def __init__(self, examples: Iterable[Example]) -> None:
        kept = list(examples)
        self.lengths = np.array([len(example.tokens) for example in kept], np.int64)
        self.targets = np.array(
            [np.count_nonzero(example.targets != IGNORE_INDEX) for example in kept], np.int64
        )
        self.weights: NDArray[np.float64] = np.array(
            [example.weights.sum(dtype=np.float64) for example in kept]
        )
        self._starts = np.cumsum(self.lengths) - self.lengths
        nothing = Example(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
        self._flat = Example(*map(np.concatenate, zip(nothing, *kept, strict=True)))

    def batch(self, rows: Sequence[Sequence[int]], pad: int = 0) -> PackedBatch:
        """Rows of examples as tensors, padded to the longest row.

        Every padding token has position 0, so it is an example of its own that no other token sees.

        Args:
            rows: numbers of the examples of each row.
            pad: token id of padding.
        """
        numbers = np.array([number for row in rows for number in row], np.int64)
        row = np.repeat(np.arange(len(rows)), [len(of_row) for of_row in rows])
        lengths = self.lengths[numbers]
        of_row = np.bincount(row, lengths, len(rows)).astype(np.int64)
        first_columns = np.cumsum(lengths) - lengths - (np.cumsum(of_row) - of_row)[row]
        source = ranges(self._starts[numbers], lengths)
        places = np.repeat(row, lengths), ranges(first_columns, lengths)
        shape = len(rows), int(of_row.max())
        batch = PackedBatch(
            tokens=torch.full(shape, pad, dtype=torch.int64),
            position_ids=torch.zeros(shape, dtype=torch.int64),
            targets=torch.full(shape, IGNORE_INDEX, dtype=torch.int64),
            weights=torch.zeros(shape, dtype=torch.float32),
        )
        batch.tokens.numpy()[places] = self._flat.tokens[source]
        batch.position_ids.numpy()[places] = ranges(0 * lengths, lengths)
        batch.targets.numpy()[places] = self._flat.targets[source]
        batch.weights.numpy()[places] = self._flat.weights[source]
        return batch


def prompt_batch(prompts: Sequence[Tokens], pad: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Prompts as rows padded on the right, where causal attention never sees the padding.

    Returns:
        (tokens [B, L], position_ids [B, L], last [B]: column of each prompt's last token).
    """
    lengths = np.array([len(prompt) for prompt in prompts])
    tokens = np.full((len(prompts), lengths.max()), pad, np.int64)
    for row, prompt in enumerate(prompts):
        tokens[row, : len(prompt)] = prompt
    positions = np.broadcast_to(np.arange(tokens.shape[1]), tokens.shape).copy()
    return torch.from_numpy(tokens), torch.from_numpy(positions), torch.from_numpy(lengths - 1)


def token_batches(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Groups of rows whose padded size stays within a number of tokens; a longer row comes alone.

    Args:
        lengths: tokens of each row, ascending (sort first, so that little is padded).
        batch_tokens: tokens a group at most, padding counted.
    """
    group: list[int] = []
    for index, length in enumerate(lengths):
        if group and (len(group) + 1) * length > batch_tokens:
            yield group
            group = []
        group.append(index)
    if group:
        yield group
