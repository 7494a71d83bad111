"""Trees: token sequences that each continue the beginning of a shared prefix, as padded batches.

A tree is a prefix and its suffixes. An attention mask keeps the suffixes apart, and the trees of a
row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llm_i2i_spark.lm.packing import Tokens, ranges

Int64Array = NDArray[np.int64]


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
    """Rows of trees.

    Attributes:
        tokens: [B, L] token ids.
        position_ids: [B, L].
        mask: [B, 1, L, L], True where the token of the row sees the token of the column.
        rows: [S] row of each suffix, ascending; suffixes in the order of their trees.
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


class Forest:
    """Trees as flat arrays, of which a batch is a few operations on arrays.

    Args:
        prefixes: tokens of each tree's prefix.
        suffixes: suffixes of each tree.

    Attributes:
        lengths: [n] tokens of each tree.
    """

    def __init__(self, prefixes: Sequence[Tokens], suffixes: Sequence[Sequence[Suffix]]) -> None:
        flat = [suffix for of_tree in suffixes for suffix in of_tree]
        shared = np.array([len(prefix) for prefix in prefixes], np.int64)
        self._counts = np.array([len(of_tree) for of_tree in suffixes], np.int64)
        self._first_suffix = np.cumsum(self._counts) - self._counts
        lengths = np.array([len(suffix.tokens) for suffix in flat], np.int64)
        visible = np.array([suffix.visible for suffix in flat], np.int64)
        tree = np.repeat(np.arange(len(shared)), self._counts)
        of_suffixes = np.bincount(tree, lengths, len(shared)).astype(np.int64)
        self.lengths: Int64Array = shared + of_suffixes
        self._starts = np.cumsum(self.lengths) - self.lengths
        # Where each suffix begins and ends within its tree.
        before = np.cumsum(lengths) - lengths - (np.cumsum(of_suffixes) - of_suffixes)[tree]
        begins = shared[tree] + before
        self._last = begins + lengths - 1
        self._tokens, self._positions, self._visible, self._begins = np.empty(
            (4, int(self.lengths.sum())), np.int64
        )
        places, within = ranges(self._starts, shared), ranges(0 * shared, shared)
        self._tokens[places] = np.concatenate([*prefixes, np.empty(0, np.int64)])
        # A token of the prefix sees those before it, and itself.
        for column in (self._positions, self._visible, self._begins):
            column[places] = within
        places = ranges(self._starts[tree] + begins, lengths)
        for column, parts in (
            (self._tokens, [suffix.tokens for suffix in flat]),
            (self._positions, [_positions(suffix) for suffix in flat]),
        ):
            column[places] = np.concatenate([*parts, np.empty(0, np.int64)])
        self._visible[places] = np.repeat(visible, lengths)
        self._begins[places] = np.repeat(begins, lengths)
        candidates = [suffix.candidate for suffix in flat if suffix.candidate is not None]
        self._candidates = np.stack(candidates) if candidates else None

    def suffixes(self, trees: Int64Array) -> Int64Array:
        """Numbers of the suffixes of some trees, among the suffixes of all."""
        return ranges(self._first_suffix[trees], self._counts[trees])

    def batch(self, rows: Sequence[Sequence[int]], pad: int = 0) -> TreeBatch:
        """Rows of trees as tensors, padded to the longest row.

        Args:
            rows: numbers of the trees of each row.
            pad: token id of padding, which sees only itself.
        """
        trees = np.array([tree for row in rows for tree in row], np.int64)
        row = np.repeat(np.arange(len(rows)), [len(of_row) for of_row in rows])
        lengths = self.lengths[trees]
        of_row = np.bincount(row, lengths, len(rows)).astype(np.int64)
        # The column at which each tree begins.
        offset = np.cumsum(lengths) - lengths - (np.cumsum(of_row) - of_row)[row]
        width = int(of_row.max())
        own = np.broadcast_to(np.arange(width), (len(rows), width))
        tokens, position_ids = np.full(own.shape, pad, np.int64), np.zeros(own.shape, np.int64)
        first, visible, begins = own.copy(), np.zeros_like(own), own.copy()
        places = np.repeat(row, lengths), ranges(offset, lengths)
        source, shift = ranges(self._starts[trees], lengths), np.repeat(offset, lengths)
        tokens[places], position_ids[places] = self._tokens[source], self._positions[source]
        first[places], visible[places] = shift, shift + self._visible[source]
        begins[places] = shift + self._begins[source]
        column = np.arange(width)
        of_prefix = (column >= first[..., None]) & (column < visible[..., None])
        of_suffix = (column >= begins[..., None]) & (column <= own[..., None])
        suffixes, counts = self.suffixes(trees), self._counts[trees]
        return TreeBatch(
            torch.from_numpy(tokens),
            torch.from_numpy(position_ids),
            torch.from_numpy((of_prefix | of_suffix)[:, None]),
            torch.from_numpy(np.repeat(row, counts)),
            torch.from_numpy(self._last[suffixes] + np.repeat(offset, counts)),
            None if self._candidates is None else torch.from_numpy(self._candidates[suffixes]),
        )


def tree_batch(
    prefixes: Sequence[Tokens], suffixes: Sequence[Sequence[Suffix]], pad: int = 0
) -> TreeBatch:
    """Trees as tensors, each in a row of its own, padded to the longest.

    Args:
        prefixes: tokens of each tree's prefix.
        suffixes: suffixes of each tree.
        pad: token id of padding, which sees only itself.
    """
    return Forest(prefixes, suffixes).batch([[tree] for tree in range(len(prefixes))], pad)


def _positions(suffix: Suffix) -> Int64Array:
    if suffix.positions is not None:
        return suffix.positions
    return np.arange(suffix.visible, suffix.visible + len(suffix.tokens))
