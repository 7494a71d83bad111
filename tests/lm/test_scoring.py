"""Scores: one shared reading equals one reading a candidate, for every kind of model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.lm import scoring
from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.scoring import Question, score
from llm_i2i_spark.prompts.items import Item

pytestmark = pytest.mark.lm


@torch.no_grad()
def judge_alone(checkpoint: LoadedCheckpoint, history: list[Item], question: Question) -> float:
    """The logit of one candidate by a plain causal reading of its own prompt."""
    (tree,) = checkpoint.encoder.trees(history[: question.prefix_length], [question])
    tokens = torch.from_numpy(np.concatenate([tree.prefix, tree.segments[0].tokens]))[None]
    no, yes = checkpoint.model.label_logits(checkpoint.model(tokens, torch.arange(tokens.shape[1])[None])[0, -1:])[0].tolist()
    return yes - no


def asked(small: type) -> tuple[list[list[Item]], list[list[Question]]]:
    items = small.items(30)
    histories = [items[:9], items[4:7], [], items[20:21]]
    questions = [
        [Question(9, items[20]), Question(3, items[3]), Question(8, items[8]), Question(9, items[21])],
        [Question(3, items[k]) for k in range(10, 22)],
        [Question(0, items[5])],
        [],
    ]
    return histories, questions


CASES = [("atomic", None), ("codes", None), ("atomic", "llama"), ("codes", "llama"), ("atomic", "qwen2")]


@pytest.mark.parametrize(("kind", "family"), CASES)
def test_shared_readings_equal_separate_ones(
    small: type, base_model_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, kind: str, family: str | None
) -> None:
    base = base_model_folder(family) if family else None
    checkpoint = small.checkpoint(kind=kind, role="discriminator", max_items=4, base=base)
    histories, questions = asked(small)
    expected = [[judge_alone(checkpoint, h, q) for q in row] for h, row in zip(histories, questions, strict=True)]
    spread = np.ptp(np.concatenate(expected))
    assert spread > 0.1
    for tree_tokens, batch_tokens in ((1024, 100_000), (1024, 1), (8, 300)):
        monkeypatch.setattr(scoring, "TREE_TOKENS", tree_tokens)
        found = score(checkpoint, histories, questions, batch_tokens)
        assert [len(row) for row in found] == [4, 12, 1, 0]
        for row, want in zip(found, expected, strict=True):
            assert row.dtype == np.float32
            np.testing.assert_allclose(row, want, atol=1e-5 * max(1.0, spread))


def test_scores_do_not_depend_on_the_order_of_users(small: type) -> None:
    checkpoint = small.checkpoint(role="discriminator")
    histories, questions = asked(small)
    forward, backward = score(checkpoint, histories, questions, 500), score(checkpoint, histories[::-1], questions[::-1], 500)
    for one, other in zip(forward, backward[::-1], strict=True):
        assert np.array_equal(one, other)


def test_the_sigmoid_of_a_score_is_the_softmax_over_the_labels(small: type) -> None:
    checkpoint = small.checkpoint(role="discriminator")
    items = small.items(5)
    (logit,) = score(checkpoint, [items[:2]], [[Question(2, items[4])]], 100)[0]
    (tree,) = checkpoint.encoder.trees(items[:2], [Question(2, items[4])])
    tokens = torch.from_numpy(np.concatenate([tree.prefix, tree.segments[0].tokens]))[None]
    with torch.no_grad():
        labels = checkpoint.model.label_logits(checkpoint.model(tokens, torch.arange(tokens.shape[1])[None])[0, -1:])
    torch.testing.assert_close(torch.sigmoid(torch.tensor(logit)), torch.softmax(labels, 1)[0, 1])


def test_a_logit_that_is_not_a_number_stops_the_stage(small: type) -> None:
    checkpoint = small.checkpoint(role="discriminator")
    with torch.no_grad():
        checkpoint.model.label_head.bias[1] = torch.nan
    with pytest.raises(StageError, match="not numbers"):
        score(checkpoint, *asked(small), 500)
