"""States after histories and directions of items, against one forward pass a history."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from llm_i2i_spark.base.sections.sft import SftConfig
from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.history_states import history_states, item_directions, unit_rows
from llm_i2i_spark.lm.new_model import build_model
from llm_i2i_spark.lm.vocabulary import ItemVocabulary
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.prompts.templates import GENERATOR

pytestmark = pytest.mark.lm
IDS = [f"i{n:02d}" for n in range(12)]


@pytest.fixture(scope="module", params=["atomic", "semantic"])
def checkpoint(request: pytest.FixtureRequest) -> LoadedCheckpoint:
    features = np.random.default_rng(2).normal(size=(len(IDS), 4)).astype(np.float32)
    vocabulary = (
        ItemVocabulary.atomic(IDS)
        if request.param == "atomic"
        else ItemVocabulary.semantic(IDS, features, length=3, size=4)
    )
    sizes = SftConfig(hidden_size=16, heads=2, intermediate_size=16)
    of_tokens = vocabulary.token_features(features)
    model = build_model(sizes, vocabulary.n_tokens, of_tokens, None, 5).eval()
    fields = {"role": "generator", "max_items": 5, "max_length": 64}
    return LoadedCheckpoint(
        model, vocabulary, None, None, fields, torch.device("cpu"), "", GENERATOR
    )


def test_a_state_is_that_of_the_last_token_whatever_is_beside_it(checkpoint) -> None:
    random = np.random.default_rng(3)
    histories = [
        [Item(IDS[n], "") for n in random.permutation(len(IDS))[: 1 + row % 7]] for row in range(20)
    ]
    together = history_states(checkpoint, histories, batch_tokens=40)
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(20), abs=1e-6)
    for row, history in enumerate(histories):
        tokens = torch.from_numpy(checkpoint.encoder.prompt(history))[None]
        with torch.inference_mode():
            hidden = checkpoint.model(tokens, torch.arange(tokens.shape[1])[None])
        last = hidden[0, -1].numpy()
        assert together[row] == pytest.approx(last / np.linalg.norm(last), abs=1e-5)


def test_a_direction_is_the_mean_embedding_of_the_items_tokens(checkpoint) -> None:
    found = item_directions(checkpoint, np.array([4, 0, 4]))
    with torch.inference_mode():
        of_tokens = checkpoint.model.item_embeddings().numpy()
    mean = of_tokens[checkpoint.vocabulary.codes[4]].mean(axis=0)
    assert found[0] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
    assert np.array_equal(found[0], found[2])
    assert not np.array_equal(found[0], found[1])
    assert item_directions(checkpoint, np.empty(0, np.int64)).shape == (0, 16)


def test_a_row_of_zeros_has_no_direction() -> None:
    rows = unit_rows(np.array([[0, 0], [3, 4]], np.float32))
    assert rows.tolist() == [[0, 0], [pytest.approx(0.6), pytest.approx(0.8)]]
