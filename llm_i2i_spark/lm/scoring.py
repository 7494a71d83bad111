"""Judging: how much more the discriminator leans to Yes than to No for each candidate.

A history is read once for all its candidates: each is an ending of a tree that sees the history and
itself. Only hidden states at the label positions meet the label head. The score is the difference
of two logits; its sigmoid *is* the softmax over {Yes, No}.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.encoding import Question, Tree
from llm_i2i_spark.lm.packing import token_batches, tree_batch
from llm_i2i_spark.prompts.items import Item

__all__ = ["Question", "score"]

TREE_TOKENS = 1024


def score(
    checkpoint: LoadedCheckpoint,
    histories: Sequence[Sequence[Item]],
    questions: Sequence[Sequence[Question]],
    batch_tokens: int,
) -> list[NDArray[np.float32]]:
    """Yes-minus-No logits of candidates.

    Args:
        checkpoint: of a discriminator.
        histories: items of each user, oldest first.
        questions: candidates of each user, each with the length of the history before it.
        batch_tokens: tokens of one forward pass, padding counted.

    Returns:
        For each history an array with one fp32 logit a question, in their order; p_yes = sigmoid of
        it.

    Raises:
        StageError: a logit is not a number.
        UserError: layout `sequence` and a candidate that is not in the vocabulary.
    """
    logits = [np.full(len(asked), np.nan, np.float32) for asked in questions]
    trees = [
        (row, part)
        for row, (history, asked) in enumerate(zip(histories, questions, strict=True))
        for tree in checkpoint.encoder.trees(history, asked)
        for part in _bounded(tree)
    ]
    trees.sort(
        key=lambda entry: (
            _width(entry[1]),
            entry[1].prefix.tobytes(),
            *(s.tokens.tobytes() for s in entry[1].segments),
        )
    )
    for batch in token_batches([_width(tree) for _, tree in trees], batch_tokens):
        chosen = [trees[place] for place in batch]
        found = iter(_yes_minus_no(checkpoint, [tree for _, tree in chosen]))
        for row, tree in chosen:
            logits[row][tree.questions] = [next(found) for _ in tree.questions]
    return logits


def centre_labels(
    checkpoint: LoadedCheckpoint,
    histories: Sequence[Sequence[Item]],
    questions: Sequence[Sequence[Question]],
    batch_tokens: int,
) -> None:
    """Shift the Yes logits of a discriminator that begins as its generator, so that they are 0 on
    average over these questions.

    The generator's scores have a level of their own; without the shift the first steps of training
    go into unlearning it. Layout `instruct` has nothing to shift.

    Args:
        checkpoint: of the discriminator that is about to be trained; its model is changed.
        histories: as for `score`; a few hundred are enough.
        questions: as for `score`, positives and negatives as in training.
        batch_tokens: as for `score`.
    """
    if checkpoint.tokenizer is None and any(questions):
        head = checkpoint.model.label_head
        level = float(np.concatenate(score(checkpoint, histories, questions, batch_tokens)).mean())
        head.centre += level / float(head.scale.detach())


@torch.inference_mode()
def _yes_minus_no(checkpoint: LoadedCheckpoint, trees: Sequence[Tree]) -> list[float]:
    """One logit a segment, trees and segments in order."""
    batch = tree_batch([tree.prefix for tree in trees], [tree.segments for tree in trees]).to(
        checkpoint.device
    )
    hidden = checkpoint.model(batch.tokens, batch.position_ids, batch.mask)[
        batch.rows, batch.columns
    ]
    labels = checkpoint.model.label_logits(hidden, batch.candidates)
    if not bool(torch.isfinite(labels).all()):
        raise StageError(
            "discriminate: the model's scores are not numbers (NaN or infinite), so its checkpoint"
            " is unusable: run sft again."
        )
    return list((labels[:, 1] - labels[:, 0]).tolist())


def _bounded(tree: Tree) -> Iterator[Tree]:
    """The tree cut into ones of at most 1,024 tokens (attention is quadratic), by its own contents
    alone.
    """
    width, start = len(tree.prefix), 0
    for end, segment in enumerate(tree.segments):
        width += len(segment.tokens)
        if width > TREE_TOKENS and end > start:
            yield Tree(tree.prefix, tree.segments[start:end], tree.questions[start:end])
            width, start = len(tree.prefix) + len(segment.tokens), end
    yield Tree(tree.prefix, tree.segments[start:], tree.questions[start:])


def _width(tree: Tree) -> int:
    return len(tree.prefix) + sum(len(segment.tokens) for segment in tree.segments)
