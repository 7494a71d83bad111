"""Losses, each as a weighted sum and the sum of its weights, so that the trainer can divide by the
weights of the whole global batch.

Items: Σ wᵢ·CEᵢ with w = alpha for a long-tail target and beta otherwise, by the full softmax over
the item tokens or by a sampled one. Labels: cross-entropy over (No, Yes).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from llm_i2i_spark.lm.model import ItemLanguageModel
from llm_i2i_spark.lm.packing import IGNORE_INDEX


class LossSums(NamedTuple):
    """Sums over a part of a batch; the loss of a whole batch is Σ loss / Σ weight over its parts.

    Attributes:
        loss: Σ w·CE in nats, an fp32 scalar.
        weight: Σ w, an fp32 scalar.
    """

    loss: Tensor
    weight: Tensor


class Negatives(NamedTuple):
    """Item tokens sampled for a sampled softmax.

    Attributes:
        item_tokens: [M] numbers 0..T-1, duplicates allowed.
        log_expected: [M] log of the expected count of each in the sample.
    """

    item_tokens: Tensor
    log_expected: Tensor

    def to(self, device: torch.device) -> Negatives:
        """The sample on another device."""
        return Negatives(self.item_tokens.to(device), self.log_expected.to(device))


class NegativeSampler:
    """Samples item tokens with replacement: half uniformly, half in proportion to popularity^0.75.

    Args:
        counts: [T] how often each item token is a target in training.
        size: M, the number of samples.
        may_be_sampled: [T] bool; the others have counts of 0.
    """

    def __init__(
        self, counts: NDArray[np.int64], size: int, may_be_sampled: NDArray[np.bool_]
    ) -> None:
        popularity = counts.astype(np.float64) ** 0.75
        popularity /= max(popularity.sum(), 1e-12)
        probability = may_be_sampled * 0.5 / may_be_sampled.sum() + 0.5 * popularity
        self._probability = torch.from_numpy(probability / probability.sum())
        self._log_expected = torch.log(self._probability * size).float()
        self._size = size

    def sample(self, generator: torch.Generator) -> Negatives:
        """One sample on the CPU, shared by all targets of a batch."""
        tokens = torch.multinomial(
            self._probability, self._size, replacement=True, generator=generator
        )
        return Negatives(tokens, self._log_expected[tokens])


def item_loss(
    model: ItemLanguageModel,
    hidden: Tensor,
    targets: Tensor,
    weights: Tensor,
    negatives: Negatives | None = None,
) -> LossSums:
    """Weighted cross-entropy of item tokens.

    With negatives j of expected count c_j the partition function e^{s_y} + Σ_{j≠y} e^{s_j} is
    estimated without bias by e^{s_y} + Σ_{sampled j≠y} e^{s_j} / c_j (Bengio & Senécal 2008; "logQ
    correction"): the target itself is never its own negative.

    Args:
        model: for the item embeddings.
        hidden: [..., H] hidden states.
        targets: [...] item tokens to predict, IGNORE_INDEX for none.
        weights: [...] loss weights.
        negatives: None for the full softmax over all item tokens.

    Returns:
        Σ w·CE and Σ w over the predicted positions; both 0 where there are none.
    """
    predicted = targets != IGNORE_INDEX
    hidden, targets, weights = hidden[predicted], targets[predicted], weights[predicted].float()
    if negatives is None:
        losses = functional.cross_entropy(model.item_logits(hidden), targets, reduction="none")
    else:
        losses = _sampled_softmax(model, hidden, targets, negatives)
    return LossSums((weights * losses).sum(), weights.sum())


def _sampled_softmax(
    model: ItemLanguageModel, hidden: Tensor, targets: Tensor, negatives: Negatives
) -> Tensor:
    tokens, log_expected = negatives
    own = (hidden.float() * model.item_embeddings(targets).float()).sum(-1)
    others = model.item_logits(hidden, tokens) - log_expected
    others = others.masked_fill(targets[:, None] == tokens[None, :], -torch.inf)
    return torch.logsumexp(torch.cat([own[:, None], others], dim=1), dim=1) - own


def label_loss(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> LossSums:
    """Cross-entropy over (No, Yes).

    Args:
        logits: [N, 2].
        labels: [N] bool, True for Yes.
        weights: [N] loss weights; None: all 1.
    """
    losses = functional.cross_entropy(logits.float(), labels.long(), reduction="none")
    ones = torch.ones_like(losses) if weights is None else weights.float()
    return LossSums((ones * losses).sum(), ones.sum())
