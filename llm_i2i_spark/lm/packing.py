"""Batches of token rows: examples packed one after another, and trees in which many short endings
share one beginning.

Packed examples are kept apart by position ids that start again at 0; a tree is spelled out by its
mask.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

IGNORED = -100

Tokens = NDArray[np.int64]


class Example(NamedTuple):
    """One training example of n tokens.

    Attributes:
        tokens: [n] token ids.
        targets: [n] the item token (0..T-1) to be predicted from each token, IGNORED where nothing
            is.
        weights: [n] float32 loss weights, 0 where nothing is predicted.
    """

    tokens: Tokens
    targets: Tokens
    weights: NDArray[np.float32]


class PackedBatch(NamedTuple):
    """Rows of packed examples, [B, L] each: what the model reads, and what it should say."""

    tokens: Tensor
    position_ids: Tensor
    targets: Tensor
    weights: Tensor

    def to(self, device: torch.device) -> PackedBatch:
        """The batch on another device."""
        return PackedBatch(*(part.to(device, non_blocking=True) for part in self))


class Segment(NamedTuple):
    """An ending of a tree.

    Attributes:
        visible: how many tokens of the shared beginning it sees.
        tokens: [n] token ids.
        positions: [n] position ids; None: they continue after what it sees.
        candidate: [length] item tokens of the item it asks about; None where the labels do not need
            them.
    """

    visible: int
    tokens: Tokens
    positions: Tokens | None = None
    candidate: Tokens | None = None


class TreeBatch(NamedTuple):
    """Rows that each hold one beginning and its endings.

    Attributes:
        tokens: [B, L] token ids.
        position_ids: [B, L].
        mask: [B, 1, L, L], True where the row's token sees the column's.
        rows: [S] the row of each ending, endings in the order given.
        columns: [S] the place of each ending's last token.
        candidates: [S, length] item tokens asked about; None where the endings name none.
    """

    tokens: Tensor
    position_ids: Tensor
    mask: Tensor
    rows: Tensor
    columns: Tensor
    candidates: Tensor | None

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
    """Which examples share a row: first-fit decreasing, equal lengths in the order given.

    Args:
        lengths: tokens of each example; a longer one than max_length has a row of its own.
        max_length: tokens a row.

    Returns:
        The indexes of each row's examples.
    """
    rows: list[list[int]] = []
    room: list[int] = []
    fullest = 0  # rows before it have no room even for the shortest example
    shortest = min(lengths, default=0)
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        for row in range(fullest, len(rows)):
            if room[row] >= lengths[index]:
                rows[row].append(index)
                room[row] -= lengths[index]
                break
        else:
            rows.append([index])
            room.append(max_length - lengths[index])
        while fullest < len(rows) and room[fullest] < shortest:
            fullest += 1
    return rows


def packed_batch(rows: Sequence[Sequence[Example]], pad: int = 0) -> PackedBatch:
    """Rows of examples as tensors, padded to the longest row.

    Every padding token has position 0, so it is an example of its own and nobody sees it.

    Args:
        rows: the examples of each row.
        pad: the token id of padding.
    """
    width = max(sum(len(example.tokens) for example in row) for row in rows)
    tokens = np.full((len(rows), width), pad, np.int64)
    position_ids = np.zeros((len(rows), width), np.int64)
    targets = np.full((len(rows), width), IGNORED, np.int64)
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
        (tokens [B, L], position_ids [B, L], last [B]: the place of each prompt's last token).
    """
    lengths = np.array([len(prompt) for prompt in prompts])
    tokens = np.full((len(prompts), lengths.max()), pad, np.int64)
    for row, prompt in enumerate(prompts):
        tokens[row, : len(prompt)] = prompt
    positions = np.broadcast_to(np.arange(tokens.shape[1]), tokens.shape).copy()
    return torch.from_numpy(tokens), torch.from_numpy(positions), torch.from_numpy(lengths - 1)


def tree_batch(
    prefixes: Sequence[Tokens], segments: Sequence[Sequence[Segment]], pad: int = 0
) -> TreeBatch:
    """Beginnings with their endings as tensors, padded to the longest row.

    Args:
        prefixes: the tokens of each row's beginning.
        segments: the endings of each row.
        pad: the token id of padding, which sees only itself.
    """
    width = max(
        len(p) + sum(len(s.tokens) for s in row) for p, row in zip(prefixes, segments, strict=True)
    )
    tokens = np.full((len(prefixes), width), pad, np.int64)
    position_ids = np.zeros((len(prefixes), width), np.int64)
    mask = np.zeros((len(prefixes), width, width), np.bool_)
    mask[:, np.arange(width), np.arange(width)] = True
    lower = np.tri(width, dtype=np.bool_)
    ends: list[tuple[int, int]] = []
    for row, (prefix, endings) in enumerate(zip(prefixes, segments, strict=True)):
        start = len(prefix)
        tokens[row, :start] = prefix
        position_ids[row, :start] = np.arange(start)
        mask[row, :start, :start] = lower[:start, :start]
        for visible, ending, positions, _ in endings:
            end = start + len(ending)
            tokens[row, start:end] = ending
            position_ids[row, start:end] = (
                visible + np.arange(end - start) if positions is None else positions
            )
            mask[row, start:end, :visible] = True
            mask[row, start:end, start:end] = lower[: end - start, : end - start]
            ends.append((row, end - 1))
            start = end
    places = torch.tensor(ends, dtype=torch.long).reshape(-1, 2)
    asked = [
        segment.candidate
        for endings in segments
        for segment in endings
        if segment.candidate is not None
    ]
    return TreeBatch(
        torch.from_numpy(tokens),
        torch.from_numpy(position_ids),
        torch.from_numpy(mask[:, None]),
        places[:, 0],
        places[:, 1],
        torch.from_numpy(np.stack(asked)) if asked else None,
    )


def token_batches(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Groups of rows whose padded size stays within a number of tokens; a longer row comes alone.

    Args:
        lengths: tokens of each row, ascending (sort first, so that little is padded).
        batch_tokens: tokens a group, padding counted.
    """
    group: list[int] = []
    for index, length in enumerate(lengths):
        if group and (len(group) + 1) * length > batch_tokens:
            yield group
            group = []
        group.append(index)
    if group:
        yield group
