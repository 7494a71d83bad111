"""The losses against torch's own, and the sampled softmax against the full one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from llm_i2i_spark.lm.loss import Negatives, NegativeSampler, item_loss, label_loss
from llm_i2i_spark.lm.model import ItemLanguageModel
from llm_i2i_spark.lm.packing import IGNORE_INDEX

pytestmark = pytest.mark.lm
TARGETS = torch.tensor([[3, IGNORE_INDEX, 7], [7, 0, IGNORE_INDEX]])
PREDICTED = TARGETS != IGNORE_INDEX


@pytest.fixture
def model(small: type) -> ItemLanguageModel:
    return small.checkpoint(n=20).model


def _hidden() -> torch.Tensor:
    return torch.randn(2, 3, 32, generator=torch.Generator().manual_seed(1)).requires_grad_()


def test_with_weights_of_one_it_is_plain_cross_entropy(model: ItemLanguageModel) -> None:
    hidden = _hidden()
    sums = item_loss(model, hidden, TARGETS, torch.ones(2, 3))
    expected = functional.cross_entropy(model.item_logits(hidden[PREDICTED]), TARGETS[PREDICTED])
    torch.testing.assert_close(sums.loss / sums.weight, expected)
    assert sums.weight == 4


def test_weights_multiply_each_targets_own_loss(model: ItemLanguageModel) -> None:
    hidden, weights = _hidden(), torch.tensor([[4.0, 99.0, 1.0], [1.0, 4.0, 99.0]])
    sums = item_loss(model, hidden, TARGETS, weights)
    each = functional.cross_entropy(
        model.item_logits(hidden[PREDICTED]), TARGETS[PREDICTED], reduction="none"
    )
    torch.testing.assert_close(sums.loss, (each * weights[PREDICTED]).sum())
    assert sums.weight == 10


def test_sampling_every_item_once_is_the_full_softmax_with_its_gradients(
    model: ItemLanguageModel,
) -> None:
    full, sampled = _hidden(), _hidden()
    every = Negatives(torch.randperm(20), torch.zeros(20))
    sums, expected = (
        item_loss(model, sampled, TARGETS, torch.ones(2, 3), every),
        item_loss(model, full, TARGETS, torch.ones(2, 3)),
    )
    torch.testing.assert_close(sums.loss, expected.loss)
    sums.loss.backward()
    expected.loss.backward()
    torch.testing.assert_close(sampled.grad, full.grad)


def test_gradients_of_the_sampled_softmax_are_those_of_its_definition(
    model: ItemLanguageModel,
) -> None:
    sample = Negatives(torch.tensor([3, 9, 7, 9, 1]), torch.tensor([0.1, -0.5, 0.3, -0.5, 1.2]))
    weights = torch.tensor([[4.0, 9.0, 1.0], [0.5, 2.0, 9.0]])
    hidden, plain = _hidden(), _hidden()
    model.zero_grad()
    sums = item_loss(model, hidden, TARGETS, weights, sample)
    (3 * sums.loss).backward()
    found = [one.grad.clone() for one in model.parameters() if one.grad is not None]

    model.zero_grad()
    own = TARGETS[PREDICTED]
    scores = model.item_logits(plain[PREDICTED], sample.item_tokens) - sample.log_expected
    scores = scores.masked_fill(own[:, None] == sample.item_tokens, -torch.inf)
    own_scores = (plain[PREDICTED] * model.item_embeddings(own)).sum(1, keepdim=True)
    losses = torch.logsumexp(torch.cat([own_scores, scores], 1), 1) - own_scores[:, 0]
    expected = (weights[PREDICTED] * losses).sum()
    (3 * expected).backward()
    torch.testing.assert_close(sums.loss, expected)
    torch.testing.assert_close(hidden.grad, plain.grad)
    for one, other in zip(
        found, [one.grad for one in model.parameters() if one.grad is not None], strict=True
    ):
        # That of the bias is 0 but for rounding: a shift of all scores changes no probability.
        largest = max(1.0, float(other.abs().max()))
        torch.testing.assert_close(one, other, atol=1e-5 * largest, rtol=0)


def test_the_target_is_never_its_own_negative(model: ItemLanguageModel) -> None:
    hidden = _hidden()
    sampled = Negatives(torch.tensor([3, 3, 5]), torch.zeros(3))
    sums = item_loss(model, hidden[:1, :1], torch.tensor([[3]]), torch.ones(1, 1), sampled)
    pair = model.item_logits(hidden[0, :1], torch.tensor([3, 5]))
    torch.testing.assert_close(sums.loss, functional.cross_entropy(pair, torch.tensor([0])))
    only_itself = item_loss(
        model,
        hidden[:1, :1],
        torch.tensor([[3]]),
        torch.ones(1, 1),
        Negatives(torch.tensor([3]), torch.zeros(1)),
    )
    assert only_itself.loss == 0


def test_the_correction_makes_the_partition_function_unbiased(model: ItemLanguageModel) -> None:
    counts = np.array([50, 20, 10] + [1] * 17)
    sampler, generator = (
        NegativeSampler(counts, 8, np.ones(20, bool)),
        torch.Generator().manual_seed(3),
    )
    hidden = _hidden()[0, :1].detach() / 8
    scores = model.item_logits(hidden)[0].detach().double()
    exact = torch.exp(scores).sum() - torch.exp(scores[3])
    estimates = []
    for _ in range(4000):
        tokens, log_expected = sampler.sample(generator)
        estimates.append(float(torch.exp(scores[tokens] - log_expected)[tokens != 3].sum()))
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates) - float(exact)) < 4 * error


def test_popular_items_are_sampled_more_often_and_all_can_be() -> None:
    sampler = NegativeSampler(np.array([1000, 10, 0, 0, 0]), 5000, np.array([1, 1, 1, 1, 0], bool))
    sampled = sampler.sample(torch.Generator().manual_seed(0))
    counts = torch.bincount(sampled.item_tokens, minlength=5)
    assert counts[4] == 0
    counts = counts[:4]
    assert counts[0] > counts[1] > counts[2] > 0
    expected = torch.exp(sampled.log_expected)[
        torch.stack([(sampled.item_tokens == k).nonzero()[0, 0] for k in range(4)])
    ]
    torch.testing.assert_close(counts.float(), expected, rtol=0.15, atol=0)


def test_a_batch_without_targets_weighs_nothing(model: ItemLanguageModel) -> None:
    sums = item_loss(model, _hidden(), torch.full((2, 3), IGNORE_INDEX), torch.ones(2, 3))
    assert sums.loss == 0
    assert sums.weight == 0


def test_label_loss_is_cross_entropy_over_no_and_yes() -> None:
    logits, labels = (
        torch.tensor([[0.2, 1.0], [2.0, -1.0], [0.0, 0.0]]),
        torch.tensor([True, True, False]),
    )
    sums = label_loss(logits, labels)
    torch.testing.assert_close(
        sums.loss / sums.weight, functional.cross_entropy(logits, labels.long())
    )
    weighted = label_loss(logits, labels, torch.tensor([0.0, 0.0, 2.0]))
    torch.testing.assert_close(weighted.loss, torch.tensor(2 * np.log(2.0)).float())
    assert weighted.weight == 2
