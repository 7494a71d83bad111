"""Token sequences as padded batches: training examples packed into rows, prompts, and prefixes that
many suffixes share.

Position ids that restart at 0 keep packed examples apart; an attention mask does it for suffixes of
one prefix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

IGNORE_INDEX = -100

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


class Suffix(NamedTuple):
    """Tokens that continue a shared prefix and see no other suffix.

    Attributes:
        visible: number of tokens of the prefix that it sees, from the first on.
        tokens: [n] token ids.
        positions: [n] position ids; None: they continue after the visible tokens.
        candidate: [length] item tokens of the item that is scored; None where the label head does
            not need them.
    """

    visible: int
    tokens: Tokens
    positions: Tokens | None = None
    candidate: Tokens | None = None


class TreeBatch(NamedTuple):
    """Rows that each hold one prefix and its suffixes.

    Attributes:
        tokens: [B, L] token ids.
        position_ids: [B, L].
        mask: [B, 1, L, L], True where the token of the row sees the token of the column.
        rows: [S] row of each suffix, suffixes in the order given.
        columns: [S] column of each suffix's last token.
        candidates: [S, length] item tokens of the scored items; None where the suffixes have none.
    """

    tokens: Tensor
    position_ids: Tensor
    mask: Tensor
    rows: Tensor
    columns: Tensor
    candidates: Tensor | None

    @property
    def read(self) -> tuple[Tensor, Tensor]:
        """Rows and columns of the suffixes' last tokens, whose hidden states are read."""
        return self.rows, self.columns

    def to(self, device: torch.device) -> TreeBatch:
        """The batch on another device."""
        return TreeBatch(
            self.tokens.to(device, non_blocking=True),
            self.position_ids.to(device, non_blocking=True),
            self.mask.to(device, non_blocking=True),
            self.rows.to(device, non_blocking=True),
            self.columns.to(device, non_blocking=True),
            None if self.candidates is None else self.candidates.to(device, non_blocking=True),
        )


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


def packed_batch(rows: Sequence[Sequence[Example]], pad: int = 0) -> PackedBatch:
    """Rows of examples as tensors, padded to the longest row.

    Every padding token has position 0, so it is an example of its own that no other token sees.

    Args:
        rows: examples of each row.
        pad: token id of padding.
    """
    width = max(sum(len(example.tokens) for example in row) for row in rows)
    tokens = np.full((len(rows), width), pad, np.int64)
    position_ids = np.zeros((len(rows), width), np.int64)
    targets = np.full((len(rows), width), IGNORE_INDEX, np.int64)
    weights = np.zeros((len(rows), width), np.float32)
    for row, examples in enumerate(rows):
        start = 0
        for example in examples:
            end = start + len(example.tokens)
            tokens[row, start:end] = example.tokens
            position_ids[row, start:end] = np.arange(end - start)
            targets[row, start:end] = example.targets
            weights[row, start:end] = example.weights
            start = end
    return PackedBatch(*map(torch.from_numpy, (tokens, position_ids, targets, weights)))


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


def tree_batch(
    prefixes: Sequence[Tokens], suffixes: Sequence[Sequence[Suffix]], pad: int = 0
) -> TreeBatch:
    """Prefixes with their suffixes as tensors, padded to the longest row.

    Args:
        prefixes: tokens of each row's prefix.
        suffixes: suffixes of each row.
        pad: token id of padding, which sees only itself.
    """
    width = max(
        len(prefix) + sum(len(suffix.tokens) for suffix in row)
        for prefix, row in zip(prefixes, suffixes, strict=True)
    )
    tokens = np.full((len(prefixes), width), pad, np.int64)
    position_ids = np.zeros((len(prefixes), width), np.int64)
    mask = np.zeros((len(prefixes), width, width), np.bool_)
    mask[:, np.arange(width), np.arange(width)] = True
    lower = np.tri(width, dtype=np.bool_)
    last_tokens: list[tuple[int, int]] = []
    for row, (prefix, of_row) in enumerate(zip(prefixes, suffixes, strict=True)):
        start = len(prefix)
        tokens[row, :start] = prefix
        position_ids[row, :start] = np.arange(start)
        mask[row, :start, :start] = lower[:start, :start]
        for visible, suffix_tokens, positions, _ in of_row:
            end = start + len(suffix_tokens)
            tokens[row, start:end] = suffix_tokens
            position_ids[row, start:end] = (
                visible + np.arange(end - start) if positions is None else positions
            )
            mask[row, start:end, :visible] = True
            mask[row, start:end, start:end] = lower[: end - start, : end - start]
            last_tokens.append((row, end - 1))
            start = end
    located = torch.tensor(last_tokens, dtype=torch.long).reshape(-1, 2)
    return TreeBatch(
        torch.from_numpy(tokens),
        torch.from_numpy(position_ids),
        torch.from_numpy(mask[:, None]),
        located[:, 0],
        located[:, 1],
        _candidates(suffixes),
    )


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


def _candidates(suffixes: Sequence[Sequence[Suffix]]) -> Tensor | None:
    tokens = [
        suffix.candidate for of_row in suffixes for suffix in of_row if suffix.candidate is not None
    ]
    return torch.from_numpy(np.stack(tokens)) if tokens else None
