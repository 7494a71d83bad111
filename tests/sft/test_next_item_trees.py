"""Layout `dialogue`: one pass over a user says what the prompts of layout `instruct` say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from llm_i2i_spark.lm.encoding import Encoder
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.prompts.templates import GENERATOR
from llm_i2i_spark.sft.examples import GeneratorRow
from llm_i2i_spark.sft.objectives.next_item import NextItemObjective
from llm_i2i_spark.sft.objectives.next_item_trees import NextItemTreesObjective
from tests.lm.conftest import base_model_folder, small, tiny_tokenizer  # noqa: F401

pytestmark = pytest.mark.lm
N_ITEMS, SHOWN = 30, 4
UNKNOWN = Item("zzz", "something no model has seen")


def users(items: list[Item]) -> list[GeneratorRow]:
    """Of two items, of more than a prompt shows, with an unknown one among them or first."""
    histories = (
        items[:2],
        items[3:12],
        [*items[12:14], UNKNOWN, *items[14:17]],
        [UNKNOWN, items[20], items[21]],
        [items[5], UNKNOWN],
    )
    return [
        GeneratorRow(f"u{n}", [], history, [1.0 + place % 3 for place in range(len(history))])
        for n, history in enumerate(histories)
    ]


def one_by_one(row: GeneratorRow) -> list[GeneratorRow]:
    """The rows of layout `instruct` for the same user."""
    return [
        GeneratorRow(row.user_id, row.targets[:place], [row.targets[place]], [row.weights[place]])
        for place in range(1, len(row.targets))
    ]


@pytest.mark.parametrize("kind", ["atomic", "semantic"])
@pytest.mark.parametrize(("sampled", "max_length"), [(0, 1024), (0, 90), (11, 1024)])
def test_losses_and_gradients_are_the_sum_of_those_of_the_prompts(
    small: Any,  # noqa: F811
    base_model_folder: Callable[[str], Path],  # noqa: F811
    kind: str,
    sampled: int,
    max_length: int,
) -> None:
    checkpoint = small.checkpoint(N_ITEMS, kind, base=base_model_folder("llama"))
    model, words = checkpoint.model.train(), checkpoint.vocabulary
    model.dropout.p = 0.0
    model.label_head.requires_grad_(False)
    encoder = Encoder(
        words, model.vocabulary_size, checkpoint.tokenizer, GENERATOR, SHOWN, max_length
    )
    engine = torch.nn.DataParallel(model)  # without devices it is the model, with a `module`
    rows = users(small.items(N_ITEMS))
    alone = [example for row in rows for example in one_by_one(row)]
    has_text = np.ones(words.n_tokens, np.bool_)

    def measured(kind: Any, of: list[GeneratorRow]) -> tuple[Any, float, float, list[torch.Tensor]]:
        objective = kind(of, encoder, has_text, sampled, torch.device("cpu"))
        model.zero_grad()
        sums = objective.loss(
            engine, range(len(objective.lengths)), torch.Generator().manual_seed(1)
        )
        sums.loss.backward()
        found = [one.grad.clone() for one in model.parameters() if one.grad is not None]
        return objective, float(sums.loss.detach()), float(sums.weight), found

    apart, loss, weight, gradients = measured(NextItemObjective, alone)
    together, loss_of_trees, weight_of_trees, gradients_of_trees = measured(
        NextItemTreesObjective, rows
    )
    assert weight_of_trees == weight > 0
    assert loss_of_trees == pytest.approx(loss, rel=1e-5)
    assert len(gradients) == len(gradients_of_trees)
    for one, other in zip(gradients, gradients_of_trees, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-5 * float(one.abs().max() + 1))
    assert together.weights.sum() == pytest.approx(apart.weights.sum())
    assert together.targets.sum() == apart.targets.sum()
    assert len(together.lengths) == 4  # of the last user no target is known
    if max_length > 90:
        assert together.lengths.sum() < 0.8 * apart.lengths.sum()


def test_each_user_alone_has_the_loss_that_all_together_have(
    small: Any,  # noqa: F811
    base_model_folder: Callable[[str], Path],  # noqa: F811
) -> None:
    checkpoint = small.checkpoint(N_ITEMS, "semantic", base=base_model_folder("llama"))
    model, words = checkpoint.model, checkpoint.vocabulary
    encoder = Encoder(words, model.vocabulary_size, checkpoint.tokenizer, GENERATOR, SHOWN, 1024)
    engine, rows = torch.nn.DataParallel(model), users(small.items(N_ITEMS))
    objective = NextItemTreesObjective(
        rows, encoder, np.ones(words.n_tokens, np.bool_), 0, torch.device("cpu")
    )
    generator = torch.Generator()
    with torch.no_grad():
        apart = [objective.loss(engine, [user], generator) for user in range(4)]
        together = objective.loss(engine, [2, 0, 3, 1], generator)
    assert float(together.loss) == pytest.approx(sum(float(one.loss) for one in apart), rel=1e-5)
    assert [float(one.weight) for one in apart] == pytest.approx(objective.weights.tolist())
