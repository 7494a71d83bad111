"""The losses, each as a weighted sum and the sum of its weights, so that a caller can divide over
the whole global batch.

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
from llm_i2i_spark.lm.packing import IGNORED


class LossSums(NamedTuple):
    """Σ w·CE and Σ w, fp32 scalars; the loss of a global batch is the sum of the first over the sum
    of the second.
    """

    loss: Tensor
    weight: Tensor


class Negatives(NamedTuple):
    """Items drawn for a sampled softmax.

    Attributes:
        item_tokens: [M] numbers 0..T-1, repeats allowed.
        log_expected: [M] log of how many times each is expected in the draw.
    """

    item_tokens: Tensor
    log_expected: Tensor

    def to(self, device: torch.device) -> Negatives:
        """The draw on another device."""
        return Negatives(self.item_tokens.to(device), self.log_expected.to(device))


class NegativeSampler:
    """Draws item tokens with replacement from a half uniform, half popularity^0.75 mixture.

    Args:
        counts: [T] how often each item token is a target in training.
        size: M, the number of draws.
    """

    def __init__(self, counts: NDArray[np.int64], size: int) -> None:
        popular = counts.astype(np.float64) ** 0.75
        popular /= max(popular.sum(), 1e-12)
        share = 0.5 / len(counts) + 0.5 * popular
        self._share = torch.from_numpy(share / share.sum())
        self._log_expected = torch.log(self._share * size).float()
        self._size = size

    def draw(self, generator: torch.Generator) -> Negatives:
        """One draw, shared by all targets of a batch, on the CPU."""
        drawn = torch.multinomial(self._share, self._size, replacement=True, generator=generator)
        return Negatives(drawn, self._log_expected[drawn])


def item_loss(
    model: ItemLanguageModel,
    hidden: Tensor,
    targets: Tensor,
    weights: Tensor,
    negatives: Negatives | None = None,
) -> LossSums:
    """Weighted cross-entropy of item tokens.

    With negatives j of expected count c_j the partition function e^{s_y} + Σ_{j≠y} e^{s_j} is
    estimated without bias by e^{s_y} + Σ_{drawn j≠y} e^{s_j} / c_j (Bengio & Senécal 2008; "logQ
    correction"): the target itself is never its own negative.

    Args:
        model: for the item embeddings.
        hidden: [..., H] hidden states.
        targets: [...] item tokens to predict, IGNORED where none.
        weights: [...] loss weights.
        negatives: None for the full softmax over all item tokens.

    Returns:
        Σ w·CE and Σ w over the predicted places; both 0 where there are none.
    """
    predicted = targets != IGNORED
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
        weights: [N]; None: all 1.
    """
    losses = functional.cross_entropy(logits.float(), labels.long(), reduction="none")
    ones = torch.ones_like(losses) if weights is None else weights.float()
    return LossSums((ones * losses).sum(), ones.sum())
