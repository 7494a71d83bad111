"""The lean forward pass against that of `transformers`, numbers and gradients, and its dropout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from llm_i2i_spark.lm.dropout import dropout
from llm_i2i_spark.lm.llama import is_lean
from llm_i2i_spark.lm.model import ItemLanguageModel
from llm_i2i_spark.lm.packing import IGNORE_INDEX, Example, PackedExamples
from llm_i2i_spark.lm.trees import Forest, Suffix, TreeBatch, tree_batch

pytestmark = pytest.mark.lm
PREFIXES = [np.array([1, 5, 6, 7, 8]), np.array([1, 9]), np.array([1, 4, 11])]
SUFFIXES = [
    [Suffix(5, np.array([10, 2])), Suffix(2, np.array([11, 4, 2])), Suffix(1, np.array([12]))],
    [Suffix(2, np.array([13, 2]))],
    [Suffix(3, np.array([8, 3]), np.array([3, 2])), Suffix(3, np.array([9, 3]), np.array([3, 2]))],
]


def batches(rows: list[list[int]]) -> TreeBatch:
    return Forest(zip(PREFIXES, SUFFIXES, strict=True)).batch(rows)


def states_and_gradients(
    model: ItemLanguageModel, lean: bool, batch: TreeBatch, read: bool
) -> tuple[Tensor, list[Tensor]]:
    """Hidden states of the suffixes' last tokens, and the gradients of a function of them."""
    model.backbone.config._attn_implementation = "sdpa" if lean else "eager"
    assert is_lean(model.backbone, model.item_embedding.weight) == lean
    inputs = batch.tokens, batch.position_ids, batch.mask
    hidden = model(*inputs, batch.read) if read else model(*inputs)[batch.read]
    model.zero_grad()
    (hidden * torch.linspace(-1, 1, hidden.numel()).view_as(hidden)).sum().backward()
    return hidden, [one.grad for one in model.parameters() if one.grad is not None]


@pytest.mark.parametrize("family", ["compact", "llama"])
@pytest.mark.parametrize("read", [True, False])
def test_it_is_the_forward_pass_of_transformers_with_its_gradients(
    small: type, family: str, read: bool, base_model_folder: Callable[[str], Path]
) -> None:
    base = None if family == "compact" else base_model_folder(family)
    model, batch = small.checkpoint(base=base).model, batches([[0], [1, 2]])
    found, expected = (
        states_and_gradients(model, lean, batch, read and lean) for lean in (True, False)
    )
    torch.testing.assert_close(found[0], expected[0], atol=1e-5, rtol=0)
    for one, other in zip(found[1], expected[1], strict=True):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_trees_that_share_a_row_are_read_as_if_each_had_its_own(small: type) -> None:
    model = small.checkpoint().model
    together, apart = batches([[2, 0], [1]]), tree_batch(PREFIXES, SUFFIXES)
    found, expected = (
        model(batch.tokens, batch.position_ids, batch.mask, batch.read)
        for batch in (together, apart)
    )
    torch.testing.assert_close(found, expected[[4, 5, 0, 1, 2, 3]], atol=1e-5, rtol=0)
    forest = Forest(zip(PREFIXES, SUFFIXES, strict=True))
    assert forest.suffixes(np.array([2, 0, 1])).tolist() == [4, 5, 0, 1, 2, 3]


@torch.no_grad()
def test_reading_nothing_gives_nothing(small: type) -> None:
    model = small.checkpoint().model
    nothing = torch.empty(0, dtype=torch.long)
    assert model(*batches([[0]])[:3], (nothing, nothing)).shape == (0, model.hidden_size)


@torch.no_grad()
def test_packed_rows_and_their_padding_do_not_meet(small: type) -> None:
    model = small.checkpoint().model
    sequences = [np.array([1, 5, 6, 7]), np.array([1, 8]), np.array([1, 9, 4])]
    packed = PackedExamples(
        Example(one, np.full(len(one), IGNORE_INDEX), np.zeros(len(one), np.float32))
        for one in sequences
    ).batch([[0, 1], [2]])
    hidden = model(packed.tokens, packed.position_ids)
    alone = torch.cat(
        [model(torch.tensor(one)[None], torch.arange(len(one))[None])[0] for one in sequences]
    )
    torch.testing.assert_close(torch.cat([hidden[0], hidden[1, :3]]), alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("probability", [0.3, 0.001])
def test_dropout_zeroes_as_many_as_it_says_and_keeps_the_mean(probability: float) -> None:
    torch.manual_seed(5)
    ones = torch.ones(1000, 1003).requires_grad_()
    dropped = dropout(ones, probability, training=True)
    zeros = (dropped == 0).float().mean()
    error = (probability * (1 - probability) / ones.numel()) ** 0.5
    assert abs(float(zeros) - probability) < 4 * error + 2**-16
    assert float(dropped.detach().mean()) == pytest.approx(1.0, abs=5 * error / (1 - probability))
    by_column = (dropped == 0).float().mean(0)  # no place of a word is zeroed more often
    assert float(by_column.std()) < 1.2 * (probability / 1000) ** 0.5
    dropped.sum().backward()
    assert torch.equal(ones.grad, dropped.detach())
    assert dropout(ones, probability, training=False) is ones
