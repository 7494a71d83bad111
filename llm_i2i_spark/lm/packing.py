"""Token sequences as padded batches: training examples packed into rows, and prompts.

Position ids that restart at 0 keep packed examples apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

IGNORE_INDEX = -100
ROW_TOKENS = 64
"""Tokens of a packed row at least, in training."""

BLOCK = 4096
"""Examples that are Python objects at the same time."""

T = TypeVar("T")
Tokens = NDArray[np.int64]
Integers = NDArray[np.signedinteger[Any]]
"""Tokens that are kept: half as long as the library wants them."""


class Example(NamedTuple):
    """One training example of n tokens.

    Attributes:
        tokens: [n] token ids.
        targets: [n] the item token (0..T-1) to predict from each token; IGNORE_INDEX for none.
        weights: [n] float32 loss weights; 0 where nothing is predicted.
    """

    tokens: Integers
    targets: Integers
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


def blocks_of(values: Iterable[T]) -> Iterator[list[T]]:
    """The values, some thousands at a time."""
    rest = iter(values)
    while block := list(islice(rest, BLOCK)):
        yield block


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


class _Block(NamedTuple):
    """Some examples as flat arrays: tokens, targets and weights one after another, and of each
    example the number of tokens and of targets, and the sum of its weights.
    """

    tokens: NDArray[np.int32]
    targets: NDArray[np.int32]
    weights: NDArray[np.float32]
    lengths: NDArray[np.int64]
    counts: NDArray[np.int64]
    sums: NDArray[np.float64]

    @classmethod
    def of_examples(cls, examples: Sequence[Example]) -> _Block:
        """From the arrays of each example."""
        tokens, targets, weights = map(np.concatenate, zip(*examples, strict=True))
        counts = [np.count_nonzero(example.targets != IGNORE_INDEX) for example in examples]
        return cls(
            tokens.astype(np.int32),
            targets.astype(np.int32),
            weights,
            np.array([len(example.tokens) for example in examples], np.int64),
            np.array(counts, np.int64),
            np.array([example.weights.sum(dtype=np.float64) for example in examples]),
        )


class PackedExamples:
    """Examples as flat arrays, of which a batch is a few operations on arrays.

    Args:
        examples: any number; looked at once.

    Attributes:
        flat: tokens, targets and weights of all examples, one after another.
        lengths: [n] tokens of each example.
        targets: [n] how many tokens are predicted from each.
        weights: [n] sum of the loss weights of each example.
    """

    def __init__(self, examples: Iterable[Example]) -> None:
        # One of no tokens before all others, since nothing at all cannot be joined.
        none = np.empty(0, np.int64)
        parts = [_Block.of_examples([Example(none, none, np.empty(0, np.float32))])]
        parts += map(_Block.of_examples, blocks_of(examples))
        block = _Block(*map(np.concatenate, zip(*parts, strict=True)))
        self.lengths, self.targets = block.lengths[1:], block.counts[1:]
        self.weights: NDArray[np.float64] = block.sums[1:]
        self._starts = np.cumsum(self.lengths) - self.lengths
        self.flat = Example(block.tokens, block.targets, block.weights)

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
        batch.tokens.numpy()[places] = self.flat.tokens[source]
        batch.position_ids.numpy()[places] = ranges(0 * lengths, lengths)
        batch.targets.numpy()[places] = self.flat.targets[source]
        batch.weights.numpy()[places] = self.flat.weights[source]
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
