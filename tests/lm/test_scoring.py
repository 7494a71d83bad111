"""Scores: one shared prefix equals one prompt a candidate, for every kind of model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.lm import scoring
from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.encoding import ScoringRequest
from llm_i2i_spark.lm.scoring import centre_labels, score
from llm_i2i_spark.lm.trees import tree_batch
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.prompts.templates import DISCRIMINATOR

pytestmark = pytest.mark.lm


@torch.no_grad()
def score_alone(
    checkpoint: LoadedCheckpoint, history: list[Item], request: ScoringRequest
) -> torch.Tensor:
    """The (No, Yes) logits of one candidate, its own prompt read alone from left to right."""
    (tree,) = checkpoint.encoder.trees(history[: request.prefix_length], [request])
    suffix = tree.suffixes[0]
    tokens = torch.from_numpy(np.concatenate([tree.prefix, suffix.tokens]))[None]
    n = tokens.shape[1]
    if suffix.positions is None:
        return checkpoint.model.label_logits(
            checkpoint.model(tokens, torch.arange(n)[None])[0, -1:]
        )[0]
    positions = torch.from_numpy(np.concatenate([np.arange(len(tree.prefix)), suffix.positions]))[
        None
    ]
    hidden = checkpoint.model(tokens, positions, torch.ones(1, 1, n, n).tril().bool())[0, -1:]
    return checkpoint.model.label_logits(hidden, torch.from_numpy(suffix.candidate)[None])[0]


def requests_of(small: type) -> tuple[list[list[Item]], list[list[ScoringRequest]]]:
    items = small.items(30)
    histories = [items[:9], items[4:7], [], items[20:21]]
    requests = [
        [
            ScoringRequest(9, items[20]),
            ScoringRequest(3, items[3]),
            ScoringRequest(8, items[8]),
            ScoringRequest(9, items[21]),
        ],
        [ScoringRequest(3, items[k]) for k in range(10, 22)],
        [ScoringRequest(0, items[5])],
        [],
    ]
    return histories, requests


CASES = [
    ("atomic", None, "sequence"),
    ("codes", None, "sequence"),
    ("atomic", "llama", "instruct"),
    ("codes", "llama", "instruct"),
    ("atomic", "qwen2", "instruct"),
    ("codes", "llama", "sequence"),
    ("atomic", "qwen2", "sequence"),
]


@pytest.mark.parametrize(("kind", "family", "layout"), CASES)
def test_shared_prefixes_equal_separate_prompts(
    small: type,
    base_model_folder: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    family: str | None,
    layout: str,
) -> None:
    base = base_model_folder(family) if family else None
    checkpoint = small.checkpoint(
        kind=kind, template=DISCRIMINATOR, max_items=4, base=base, layout=layout
    )
    histories, requests = requests_of(small)
    expected = [
        [float(score_alone(checkpoint, h, q).diff()) for q in row]
        for h, row in zip(histories, requests, strict=True)
    ]
    spread = np.ptp(np.concatenate(expected))
    assert spread > 0.1
    for tree_tokens, batch_tokens in ((1024, 100_000), (1024, 1), (8, 300)):
        monkeypatch.setattr(scoring, "TREE_TOKENS", tree_tokens)
        found = score(checkpoint, histories, requests, batch_tokens)
        assert [len(row) for row in found] == [4, 12, 1, 0]
        for row, want in zip(found, expected, strict=True):
            assert row.dtype == np.float32
            np.testing.assert_allclose(row, want, atol=1e-5 * max(1.0, spread))


def test_scores_do_not_depend_on_the_order_of_users(small: type) -> None:
    checkpoint = small.checkpoint(template=DISCRIMINATOR)
    histories, requests = requests_of(small)
    forward, backward = (
        score(checkpoint, histories, requests, 500),
        score(checkpoint, histories[::-1], requests[::-1], 500),
    )
    for one, other in zip(forward, backward[::-1], strict=True):
        assert np.array_equal(one, other)


def test_the_sigmoid_of_a_score_is_the_softmax_over_the_labels(small: type) -> None:
    checkpoint = small.checkpoint(template=DISCRIMINATOR)
    items = small.items(5)
    (logit,) = score(checkpoint, [items[:2]], [[ScoringRequest(2, items[4])]], 100)[0]
    labels = score_alone(checkpoint, items[:2], ScoringRequest(2, items[4]))
    torch.testing.assert_close(torch.sigmoid(torch.tensor(logit)), torch.softmax(labels, 0)[1])


@pytest.mark.faults("F19", end="error")
def test_a_logit_that_is_not_a_number_stops_the_stage(small: type) -> None:
    checkpoint = small.checkpoint(template=DISCRIMINATOR)
    with torch.no_grad():
        checkpoint.model.label_head.linear.bias[1] = torch.nan
    with pytest.raises(StageError, match="not numbers"):
        score(checkpoint, *requests_of(small), 500)


@torch.no_grad()
def test_a_discriminator_starts_from_its_generators_scores(small: type) -> None:
    """With fresh labels and a query that cannot see the candidate, scores are the generator's
    logits, shifted to mean zero.
    """
    checkpoint = small.checkpoint(template=DISCRIMINATOR)
    model, items = checkpoint.model, small.items(30)
    head = type(model.label_head)(model.hidden_size)
    model.label_head = head
    histories, requests = [items[:9]], [[ScoringRequest(9, item) for item in items[10:20]]]
    (tree,) = checkpoint.encoder.trees(histories[0], requests[0])
    batch = tree_batch([tree.prefix], [tree.suffixes])
    blind = batch.mask.clone()
    blind[0, 0, batch.columns, batch.columns - 1] = False  # the candidate
    blind[0, 0, batch.columns, 9] = False  # the last item, which the query repeats
    generator = model.item_logits(
        model(torch.from_numpy(tree.prefix)[None], torch.arange(10)[None])[0, -1:],
        torch.arange(10, 20),
    )[0]
    labels = model.label_logits(
        model(batch.tokens, batch.position_ids, blind)[batch.rows, batch.columns], batch.candidates
    )
    torch.testing.assert_close(labels[:, 1] - labels[:, 0], 0.7 * generator, atol=1e-5, rtol=1e-5)
    centre_labels(checkpoint, histories, requests, 1000)
    assert abs(score(checkpoint, histories, requests, 1000)[0].mean()) < 1e-5
    assert float(head.centre) != 0
