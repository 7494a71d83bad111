"""Losses, each as a weighted sum and the sum of its weights, so that the trainer can divide by the
weights of the whole global batch.

Items: Σ wᵢ·CEᵢ with w = alpha for a long-tail target and beta otherwise, by the full softmax over
the item tokens or by a sampled one. Labels: cross-entropy over (No, Yes).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from llm_i2i_spark.lm.model import ItemLanguageModel, ItemRows
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
    items: ItemRows | None = None,
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
        items: embeddings of the targets and negatives, where they are there already.

    Returns:
        Σ w·CE and Σ w over the predicted positions; both 0 where there are none.
    """
    places = (targets.flatten() != IGNORE_INDEX).nonzero()[:, 0]
    hidden = hidden.reshape(-1, hidden.shape[-1]).index_select(0, places)
    targets, weights = targets.flatten()[places], weights.flatten()[places].float()
    if negatives is None:
        losses = functional.cross_entropy(model.item_logits(hidden), targets, reduction="none")
        return LossSums((weights * losses).sum(), weights.sum())
    if items is None:
        items = model.item_rows(torch.cat([targets, negatives.item_tokens]))
    loss: Tensor = _SampledSoftmax.apply(
        hidden.float(),
        items.embeddings.float(),
        items.places(targets),
        items.places(negatives.item_tokens),
        negatives.log_expected,
        weights,
    )
    return LossSums(loss, weights.sum())


class _SampledSoftmax(torch.autograd.Function):
    """Σ w·CE of a softmax over a target of one's own and shared negatives.

    The scores are one matrix, which is turned into probabilities once; its gradient with respect to
    a score is w·(p - 1) for the target and w·p for the others.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        embeddings: Tensor,
        own: Tensor,
        others: Tensor,
        log_expected: Tensor,
        weights: Tensor,
    ) -> Tensor:
        """A scalar.

        Args:
            ctx: for the backward pass.
            hidden: [N, H].
            embeddings: [M, H] of items.
            own: [N] row of each target.
            others: [K] rows of the negatives.
            log_expected: [K] of the negatives.
            weights: [N].
        """
        # The target's score takes the place of a last negative, a row of zeros.
        negatives = embeddings.index_select(0, others)
        rows = torch.cat([negatives, embeddings.new_zeros(1, embeddings.shape[1])])
        targets = embeddings.index_select(0, own)
        scores = torch.addmm(functional.pad(-log_expected, (0, 1)), hidden, rows.T)
        scores[_equal_pairs(own, others)] = -torch.inf
        scores[:, -1] = own_scores = (hidden * targets).sum(1)
        probabilities = torch.softmax(scores, dim=1)
        # log Σ e^s by way of the greatest probability, which is not small.
        log_sums = scores.amax(1) - torch.log(probabilities.amax(1))
        ctx.save_for_backward(hidden, rows, targets, own, others, probabilities, weights)
        ctx.n_embeddings = len(embeddings)
        return (weights * (log_sums - own_scores)).sum()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of hidden states and embeddings."""
        hidden, rows, targets, own, others, probabilities, weights = ctx.saved_tensors
        scaled = (gradient * weights)[:, None]
        of_scores = probabilities * scaled
        of_own = of_scores[:, -1:] - scaled
        of_hidden = torch.addcmul(of_scores @ rows, of_own, targets)
        of_embeddings = hidden.new_zeros(ctx.n_embeddings, hidden.shape[1])
        of_embeddings.index_add_(0, others, (of_scores.T @ hidden)[:-1])
        of_embeddings.index_add_(0, own, of_own * hidden)
        return of_hidden, of_embeddings, None, None, None, None


def _equal_pairs(own: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Positions in `own` and in `others` of all pairs of equal numbers."""
    order = torch.argsort(others, stable=True)
    ordered = others[order]
    first = torch.searchsorted(ordered, own)
    counts = torch.searchsorted(ordered, own, right=True) - first
    numbers = torch.arange(len(own), device=own.device).repeat_interleave(counts)
    within = torch.arange(len(numbers), device=own.device) - (counts.cumsum(0) - counts)[numbers]
    return numbers, order[first[numbers] + within]


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
