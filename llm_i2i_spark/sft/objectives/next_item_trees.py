"""Next-item prediction for every item of a user in one pass: prompts with titles, the histories of
which are one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llm_i2i_spark.lm.encoding import Encoder, SharedPrefixTree
from llm_i2i_spark.lm.loss import LossSums, item_loss
from llm_i2i_spark.lm.packing import ROW_TOKENS, pack_rows, ranges
from llm_i2i_spark.lm.trees import Forest, TreeBatch
from llm_i2i_spark.sft.engine import Engine
from llm_i2i_spark.sft.examples import GeneratorRow
from llm_i2i_spark.sft.objectives.softmax import TargetSoftmax


class NextItemTreesObjective:
    """Weighted cross-entropy of a user's items but the first, each after the prompt that layout
    `instruct` has for it. A history is read once for all of its beginnings; the question after it
    and the answer stand beside it, one for each target.

    Args:
        rows: training rows of `sft_generator` in layout `dialogue`; one without a known target is
            left out.
        encoder: encodes them, once.
        has_text, sampled_negatives, device: as `NextItemObjective` has them.
    """

    unit = "histories"

    def __init__(
        self,
        rows: Iterable[GeneratorRow],
        encoder: Encoder,
        has_text: NDArray[np.bool_],
        sampled_negatives: int,
        device: torch.device,
    ) -> None:
        self._device, self._width = device, encoder.vocabulary.length
        encoded = [(row, encoder.next_item_trees(row.targets)) for row in rows]
        users = [(row, trees) for row, trees in encoded if trees]
        flat = [(row, tree) for row, trees in users for tree in trees]
        self._forest = Forest(
            [tree.prefix for _, tree in flat], [tree.suffixes for _, tree in flat]
        )
        self._counts = np.array([len(trees) for _, trees in users], np.int64)
        self._first_tree = np.cumsum(self._counts) - self._counts
        # [suffixes, tokens an item]
        self._answers = np.concatenate(
            [np.empty((0, self._width), np.int64)]
            + [_answers(encoder, row, tree) for row, tree in flat]
        )
        self._of_answers = np.array(
            [row.weights[target] for row, tree in flat for target in tree.requests], np.float32
        )
        numbers = np.repeat(np.arange(len(users)), self._counts)
        suffixes = np.array([len(tree.suffixes) for _, tree in flat], np.int64)
        self.lengths: NDArray[np.int64] = _sums(numbers, self._forest.lengths, len(users))
        self.targets: NDArray[np.int64] = _sums(numbers, suffixes * self._width, len(users))
        of_users = np.bincount(np.repeat(numbers, suffixes), self._of_answers, len(users))
        self.weights: NDArray[np.float64] = self._width * of_users.astype(np.float64)
        self._softmax = TargetSoftmax(
            [encoder.item_tokens(tree.prefix) for _, tree in flat],
            [self._answers.reshape(-1)],
            has_text,
            sampled_negatives,
            device,
        )
        self.scored_items = self._softmax.scored_items

    def loss(self, engine: Engine, indices: Sequence[int], generator: torch.Generator) -> LossSums:
        """Σ w·CE and Σ w of some users, in packed rows."""
        users = np.array(indices, np.int64)
        trees = ranges(self._first_tree[users], self._counts[users])
        lengths = self._forest.lengths[trees].tolist()
        packed = pack_rows(lengths, max(ROW_TOKENS, *lengths))
        rows = [[int(trees[place]) for place in row] for row in packed]
        suffixes = self._forest.suffixes(np.concatenate(rows))
        batch = self._forest.batch(rows).to(self._device)
        answers = torch.from_numpy(self._answers[suffixes].reshape(-1)).to(self._device)
        weights = torch.from_numpy(np.repeat(self._of_answers[suffixes], self._width))
        negatives, items = self._softmax.prepared(engine, batch.tokens, answers, generator)
        at = _last_tokens(batch, self._width)
        hidden = engine(batch.tokens, batch.position_ids, batch.mask, at, items)
        return item_loss(engine.module, hidden, answers, weights.to(self._device), negatives, items)


def _answers(encoder: Encoder, row: GeneratorRow, tree: SharedPrefixTree) -> NDArray[np.int64]:
    """[suffixes, tokens an item] of the targets of a tree."""
    vocabulary = encoder.vocabulary
    known = [vocabulary.index(row.targets[target].item_id) for target in tree.requests]
    return vocabulary.codes[[index for index in known if index is not None]]


def _last_tokens(batch: TreeBatch, width: int) -> tuple[Tensor, Tensor]:
    """Rows and columns of as many last tokens of each suffix, from which an item is predicted."""
    back = torch.arange(width - 1, -1, -1, device=batch.columns.device)
    columns = (batch.columns[:, None] - back).reshape(-1)
    return batch.rows.repeat_interleave(width), columns


def _sums(groups: NDArray[np.int64], values: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    return np.bincount(groups, values, count).astype(np.int64)
