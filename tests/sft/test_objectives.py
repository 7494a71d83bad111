"""What an example counts in the loss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from llm_i2i_spark.base.sections.sft import SftConfig
from llm_i2i_spark.lm.encoding import Encoder
from llm_i2i_spark.lm.new_model import build_model
from llm_i2i_spark.lm.vocabulary import ItemVocabulary
from llm_i2i_spark.sft.catalogue import Catalogue
from llm_i2i_spark.sft.examples import labelled_candidates
from llm_i2i_spark.sft.objectives.yes_no import YesNoObjective
from llm_i2i_spark.sft.roles import DISCRIMINATOR

pytestmark = pytest.mark.lm

ITEMS = [{"item_id": f"i{n}", "text": ""} for n in range(6)]
CATALOGUE = Catalogue({item["item_id"]: item["text"] for item in ITEMS})
ROWS = [
    {
        "example_id": f"{user}|{sample}",
        "user_id": user,
        "position": 1,
        "history": ITEMS[:1],
        "candidate": ITEMS[first + sample],
        "label": sample == 0,
        "weight": weight,
    }
    for user, first, weight in (("u1", 1, 1.0), ("u2", 3, 0.25))
    for sample in range(3)
]


def test_candidates_count_as_much_as_the_interaction_that_was_observed():
    groups = labelled_candidates([pa.RecordBatch.from_pylist(ROWS)], CATALOGUE)
    assert [group.weight for group in groups] == [1.0, 0.25]
    settings = SftConfig(layers=1, hidden_size=16, heads=2, intermediate_size=32, dropout=0.0)
    features = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    model = build_model(settings, 6, features, None, seed=1)
    vocabulary = ItemVocabulary.atomic([item["item_id"] for item in ITEMS])
    encoder = Encoder(vocabulary, model.vocabulary_size, None, DISCRIMINATOR.template, 50, 64)
    engine, cpu = torch.nn.DataParallel(model, device_ids=[]), torch.device("cpu")

    def loss(weights: list[float], indices: list[int]) -> tuple[float, float]:
        own = [replace(group, weight=w) for group, w in zip(groups, weights, strict=True)]
        objective = YesNoObjective(own, encoder, cpu)
        assert objective.weights.tolist() == [3 * weight for weight in weights]
        found = objective.loss(engine, indices, torch.Generator())
        return found[0].item(), found[1].item()

    (first, _), (second, _) = loss([1.0, 1.0], [0]), loss([1.0, 1.0], [1])
    total, weight = loss([1.0, 0.25], [0, 1])
    assert total == pytest.approx(first + second / 4, rel=1e-6)
    assert weight == 3.75


def test_examples_of_earlier_versions_count_alike():
    without = [{name: row[name] for name in row if name != "weight"} for row in ROWS]
    nothing = [{**row, "weight": None} for row in ROWS]
    for rows in (without, nothing):
        groups = labelled_candidates([pa.RecordBatch.from_pylist(rows)], CATALOGUE)
        assert [group.weight for group in groups] == [1.0, 1.0]
