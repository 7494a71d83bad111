"""Which items the loss of the generator pushes down."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from llm_i2i_spark.base.sections.sft import SftConfig
from llm_i2i_spark.lm.encoding import Encoder
from llm_i2i_spark.lm.new_model import build_model
from llm_i2i_spark.lm.vocabulary import ItemVocabulary
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.sft.examples import GeneratorRow
from llm_i2i_spark.sft.objectives.next_item import NextItemObjective
from llm_i2i_spark.sft.roles import GENERATOR

pytestmark = pytest.mark.lm
N_ITEMS, NEW, NEW_WITHOUT_TEXT, ONLY_FIRST = 12, 10, 11, 9
SETTINGS = SftConfig(layers=1, hidden_size=16, heads=2, intermediate_size=32, dropout=0.0)


@pytest.mark.parametrize("sampled", [0, 11])
def test_an_item_with_a_text_that_no_example_holds_is_no_negative(sampled: int) -> None:
    features = np.random.default_rng(0).normal(size=(N_ITEMS, 4)).astype(np.float32)
    features[NEW_WITHOUT_TEXT] = 0
    model = build_model(SETTINGS, N_ITEMS, features, None, seed=1)
    model.label_head.requires_grad_(False)
    items = [Item(f"i{n:02d}", "") for n in range(N_ITEMS)]
    rows = [
        GeneratorRow("u", [items[ONLY_FIRST]], [items[n], items[n + 1]], [1.0, 1.0])
        for n in range(ONLY_FIRST - 1)
    ]
    vocabulary = ItemVocabulary.atomic([item.item_id for item in items])
    encoder = Encoder(vocabulary, model.vocabulary_size, None, GENERATOR.template, 50, 64)
    objective = NextItemObjective(rows, encoder, features.any(axis=1), sampled, torch.device("cpu"))
    # Without devices DataParallel is the model itself, with a `module` as an engine has it.
    engine = torch.nn.DataParallel(model)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        objective.loss(engine, range(len(rows)), generator).loss.backward()
    pushed = model.item_embedding.weight.grad.abs().sum(dim=1)
    assert pushed[NEW] == 0
    assert (pushed[[*range(NEW), NEW_WITHOUT_TEXT]] > 0).all()
