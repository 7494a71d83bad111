"""Trees: token sequences that each continue the beginning of a shared prefix, as padded batches.

A tree is a prefix and its suffixes. An attention mask keeps the suffixes apart, and the trees of a
row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llm_i2i_spark.lm.packing import Tokens, blocks_of, ranges

Int32Array = NDArray[np.int32]
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


Tree = tuple[Tokens, Sequence[Suffix]]
"""A prefix and what continues it."""


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


class _Block(NamedTuple):
    """Some trees as flat arrays.

    Attributes:
        counts: [n] suffixes of each tree.
        lengths: [n] tokens of each.
        last: [s] place of each suffix's last token within its tree.
        tokens, positions: [t] of all tokens of a tree, its prefix first.
        visible: [t] how many tokens of the prefix each sees.
        begins: [t] where within the tree its suffix begins; of a token of the prefix, its place.
        candidates: [c, length] item tokens of the suffixes that have them.
    """

    counts: Int32Array
    lengths: Int32Array
    last: Int32Array
    tokens: Int32Array
    positions: Int32Array
    visible: Int32Array
    begins: Int32Array
    candidates: Int32Array

    @classmethod
    def of_trees(cls, trees: Sequence[Tree]) -> _Block:
        """From the tokens of each tree."""
        prefixes, flat = [prefix for prefix, _ in trees], [one for _, of in trees for one in of]
        shared = np.array([len(prefix) for prefix in prefixes], np.int64)
        counts = np.array([len(of_tree) for _, of_tree in trees], np.int64)
        lengths = np.array([len(suffix.tokens) for suffix in flat], np.int64)
        visible = np.array([suffix.visible for suffix in flat], np.int64)
        tree = np.repeat(np.arange(len(shared)), counts)
        of_suffixes = np.bincount(tree, lengths, len(shared)).astype(np.int64)
        whole = shared + of_suffixes
        starts = np.cumsum(whole) - whole
        # Where each suffix begins and ends within its tree.
        before = np.cumsum(lengths) - lengths - (np.cumsum(of_suffixes) - of_suffixes)[tree]
        begins = shared[tree] + before
        columns = np.empty((4, int(whole.sum())), np.int32)
        places = ranges(starts, shared)
        columns[0, places] = _joined(prefixes)
        # A token of the prefix sees those before it, and itself.
        columns[1:, places] = ranges(0 * shared, shared)
        places = ranges(starts[tree] + begins, lengths)
        columns[0, places] = _joined([suffix.tokens for suffix in flat])
        columns[1, places] = _joined([_positions(suffix) for suffix in flat])
        columns[2, places] = np.repeat(visible, lengths)
        columns[3, places] = np.repeat(begins, lengths)
        candidates = [suffix.candidate for suffix in flat if suffix.candidate is not None]
        return cls(
            counts.astype(np.int32),
            whole.astype(np.int32),
            (begins + lengths - 1).astype(np.int32),
            *(columns[0], columns[1], columns[2], columns[3]),
            np.stack(candidates).astype(np.int32) if candidates else np.empty((0, 0), np.int32),
        )


class Forest:
    """Trees as flat arrays, of which a batch is a few operations on arrays.

    Args:
        trees: of each the tokens of its prefix and its suffixes; looked at once.

    Attributes:
        lengths: [n] tokens of each tree.
        counts: [n] suffixes of each tree.
        tokens: of all trees, one after another.
    """

    def __init__(self, trees: Iterable[Tree]) -> None:
        blocks = [_Block.of_trees(block) for block in blocks_of(trees)] or [_Block.of_trees([])]
        block = _Block(*map(np.concatenate, zip(*blocks, strict=True)))
        self.counts: Int64Array = block.counts.astype(np.int64)
        self._first_suffix = np.cumsum(self.counts) - self.counts
        self.lengths: Int64Array = block.lengths.astype(np.int64)
        self._starts = np.cumsum(self.lengths) - self.lengths
        self._last, self.tokens, self._positions = block.last, block.tokens, block.positions
        self._visible, self._begins = block.visible, block.begins
        self._candidates = block.candidates if block.candidates.size else None

    def suffixes(self, trees: Int64Array) -> Int64Array:
        """Numbers of the suffixes of some trees, among the suffixes of all."""
        return ranges(self._first_suffix[trees], self.counts[trees])

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
        tokens[places], position_ids[places] = self.tokens[source], self._positions[source]
        first[places], visible[places] = shift, shift + self._visible[source]
        begins[places] = shift + self._begins[source]
        column = np.arange(width)
        of_prefix = (column >= first[..., None]) & (column < visible[..., None])
        of_suffix = (column >= begins[..., None]) & (column <= own[..., None])
        suffixes, counts = self.suffixes(trees), self.counts[trees]
        return TreeBatch(
            torch.from_numpy(tokens),
            torch.from_numpy(position_ids),
            torch.from_numpy((of_prefix | of_suffix)[:, None]),
            torch.from_numpy(np.repeat(row, counts)),
            torch.from_numpy(self._last[suffixes] + np.repeat(offset, counts)),
            None
            if self._candidates is None
            else torch.from_numpy(self._candidates[suffixes].astype(np.int64)),
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
    return Forest(zip(prefixes, suffixes, strict=True)).batch(
        [[tree] for tree in range(len(prefixes))], pad
    )


def _joined(parts: Sequence[Tokens]) -> Tokens:
    return np.concatenate([*parts, np.empty(0, np.int64)])


def _positions(suffix: Suffix) -> Int64Array:
    if suffix.positions is not None:
        return suffix.positions
    return np.arange(suffix.visible, suffix.visible + len(suffix.tokens))
