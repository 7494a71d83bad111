"""Next-item prediction for every item of a user in one pass: prompts with titles, the histories of
which are one.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llm_i2i_spark.lm.encoding import Encoder
from llm_i2i_spark.lm.loss import LossSums, item_loss
from llm_i2i_spark.lm.packing import ROW_TOKENS, pack_rows, ranges
from llm_i2i_spark.lm.trees import Forest, Tree, TreeBatch
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
        codes, counts, answers, weights = encoder.vocabulary.codes, array("q"), [], array("d")

        def trees() -> Iterator[Tree]:
            """Of each user that has a known target; what goes with them is noted."""
            for row in rows:
                of_user = encoder.next_item_trees(row.targets)
                if of_user:
                    counts.append(len(of_user))
                for tree in of_user:
                    targets = [row.targets[number] for number in tree.requests]
                    known = [encoder.vocabulary.index(item.item_id) for item in targets]
                    answers.append(codes[[n for n in known if n is not None]].astype(np.int32))
                    weights.extend(row.weights[number] for number in tree.requests)
                    yield tree.prefix, tree.suffixes

        self._forest = Forest(trees())
        self._counts = np.array(counts, np.int64)
        self._first_tree = np.cumsum(self._counts) - self._counts
        # [suffixes, tokens an item]
        self._answers = np.concatenate([np.empty((0, self._width), np.int32), *answers])
        self._of_answers = np.array(weights, np.float32)
        numbers = np.repeat(np.arange(len(counts)), self._counts)
        suffixes = self._forest.counts
        self.lengths: NDArray[np.int64] = _sums(numbers, self._forest.lengths, len(counts))
        self.targets: NDArray[np.int64] = _sums(numbers, suffixes * self._width, len(counts))
        of_users = np.bincount(np.repeat(numbers, suffixes), self._of_answers, len(counts))
        self.weights: NDArray[np.float64] = self._width * of_users.astype(np.float64)
        self._softmax = TargetSoftmax(
            encoder.item_tokens(self._forest.tokens),
            self._answers.reshape(-1),
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
        answers = torch.from_numpy(self._answers[suffixes].reshape(-1).astype(np.int64))
        weights = torch.from_numpy(np.repeat(self._of_answers[suffixes], self._width))
        answers = answers.to(self._device)
        negatives, items = self._softmax.prepared(engine, batch.tokens, answers, generator)
        at = _last_tokens(batch, self._width)
        hidden = engine(batch.tokens, batch.position_ids, batch.mask, at, items)
        return item_loss(engine.module, hidden, answers, weights.to(self._device), negatives, items)


def _last_tokens(batch: TreeBatch, width: int) -> tuple[Tensor, Tensor]:
    """Rows and columns of as many last tokens of each suffix, from which an item is predicted."""
    back = torch.arange(width - 1, -1, -1, device=batch.columns.device)
    columns = (batch.columns[:, None] - back).reshape(-1)
    return batch.rows.repeat_interleave(width), columns


def _sums(groups: NDArray[np.int64], values: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    return np.bincount(groups, values, count).astype(np.int64)
