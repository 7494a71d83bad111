"""Scores of candidates: the discriminator's Yes-minus-No logit for each scoring request.

A history is encoded once for all its candidates: each is a suffix that sees the history and itself.
Only the hidden states at the label positions meet the label head. The sigmoid of a score *is* the
softmax over {Yes, No}.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.encoding import ScoringRequest, SharedPrefixTree
from llm_i2i_spark.lm.packing import token_batches
from llm_i2i_spark.lm.token_limits import TREE_TOKENS
from llm_i2i_spark.lm.trees import tree_batch
from llm_i2i_spark.prompts.items import Item


def score(
    checkpoint: LoadedCheckpoint,
    histories: Sequence[Sequence[Item]],
    requests: Sequence[Sequence[ScoringRequest]],
    batch_tokens: int,
) -> list[NDArray[np.float32]]:
    """Yes-minus-No logits of candidates.

    Args:
        checkpoint: of a discriminator.
        histories: items of each user, oldest first.
        requests: scoring requests of each user.
        batch_tokens: tokens of one forward pass at most, padding counted.

    Returns:
        For each history one fp32 logit a request, in their order; p_yes is its sigmoid.

    Raises:
        StageError: a logit is NaN or infinite.
        InputDataError: layout `sequence` and a candidate that is not in the vocabulary.
    """
    logits = [np.full(len(of_user), np.nan, np.float32) for of_user in requests]
    trees = [
        (user, part)
        for user, (history, of_user) in enumerate(zip(histories, requests, strict=True))
        for tree in checkpoint.encoder.trees(history, of_user)
        for part in _split_to_limit(tree)
    ]
    # An order of contents, so that batches do not depend on the order of the rows.
    trees.sort(
        key=lambda entry: (
            _token_count(entry[1]),
            entry[1].prefix.tobytes(),
            *(suffix.tokens.tobytes() for suffix in entry[1].suffixes),
        )
    )
    for batch in token_batches([_token_count(tree) for _, tree in trees], batch_tokens):
        chosen = [trees[position] for position in batch]
        scores = iter(_yes_minus_no(checkpoint, [tree for _, tree in chosen]))
        for user, tree in chosen:
            logits[user][tree.requests] = [next(scores) for _ in tree.requests]
    return logits


def centre_labels(
    checkpoint: LoadedCheckpoint,
    histories: Sequence[Sequence[Item]],
    requests: Sequence[Sequence[ScoringRequest]],
    batch_tokens: int,
) -> None:
    """Shift the Yes logits of a discriminator that starts from a generator, so that their mean over
    these requests is 0.

    The generator's scores have a level of their own; without the shift the first training steps
    only unlearn it. Layout `instruct` has nothing to shift.

    Args:
        checkpoint: of the discriminator that is about to be trained; its model is changed.
        histories: as for `score`; a few hundred are enough.
        requests: as for `score`, positives and negatives as in training.
        batch_tokens: as for `score`.
    """
    if checkpoint.tokenizer is None and any(requests):
        head = checkpoint.model.label_head
        level = float(np.concatenate(score(checkpoint, histories, requests, batch_tokens)).mean())
        head.centre += level / float(head.scale.detach())


@torch.inference_mode()
def _yes_minus_no(checkpoint: LoadedCheckpoint, trees: Sequence[SharedPrefixTree]) -> list[float]:
    """One logit a suffix, trees and suffixes in order."""
    checkpoint.reading.tokens += sum(map(_token_count, trees))
    batch = tree_batch([tree.prefix for tree in trees], [tree.suffixes for tree in trees]).to(
        checkpoint.device
    )
    hidden = checkpoint.model(batch.tokens, batch.position_ids, batch.mask, batch.read)
    labels = checkpoint.model.label_logits(hidden, batch.candidates)
    if not bool(torch.isfinite(labels).all()):
        raise StageError(
            "discriminate: the model's scores are not numbers (NaN or infinite), so its checkpoint"
            " is unusable: run sft again."
        )
    return list((labels[:, 1] - labels[:, 0]).tolist())


def _split_to_limit(tree: SharedPrefixTree) -> Iterator[SharedPrefixTree]:
    """Trees of at most TREE_TOKENS tokens with the same suffixes; where a tree is cut depends on
    itself alone.
    """
    tokens, start = len(tree.prefix), 0
    for end, suffix in enumerate(tree.suffixes):
        tokens += len(suffix.tokens)
        if tokens > TREE_TOKENS and end > start:
            yield _part(tree, start, end)
            tokens, start = len(tree.prefix) + len(suffix.tokens), end
    yield _part(tree, start, len(tree.suffixes))


def _part(tree: SharedPrefixTree, start: int, end: int) -> SharedPrefixTree:
    return SharedPrefixTree(tree.prefix, tree.suffixes[start:end], tree.requests[start:end])


def _token_count(tree: SharedPrefixTree) -> int:
    return len(tree.prefix) + sum(len(suffix.tokens) for suffix in tree.suffixes)
