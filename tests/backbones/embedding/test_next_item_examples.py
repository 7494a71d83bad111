"""Which interactions a model of the next item predicts, and what it reads to do so."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from llm_i2i_spark.backbones.embedding.interaction_matrix import (
    InteractionMatrix,
    columns_for,
    interaction_matrix,
)
from llm_i2i_spark.backbones.embedding.next_item_examples import (
    NextItemExamples,
    next_item_examples,
)
from llm_i2i_spark.base.errors import InputDataError

LOG = [
    ("u", "c", 0),
    ("u", "a", 4),
    ("u", "b", 4),
    ("u", "z", None),
    ("u", "y", None),
    ("v", "b", 7),
    ("v", "x", None),
    ("w", "c", 1),
    ("only proposals", "a", None),
    ("only proposals", "w", None),
]


def matrix_of(rows: list[tuple[str, str, int | None]]) -> InteractionMatrix:
    users, items, positions = zip(*rows, strict=True)
    columns = {"user_id": users, "item_id": items, "weight": [1.0] * len(rows)}
    table = pa.table({name: list(values) for name, values in columns.items()})
    return interaction_matrix(table.append_column("position", pa.array(positions, pa.int32())))


def by_name(matrix: InteractionMatrix, history: int) -> dict[tuple[int, str], str]:
    """The history of each user and item to predict, oldest first."""
    examples = next_item_examples(matrix, history)
    ids = matrix.item_ids.to_pylist()
    found: dict[tuple[int, str], str] = {}
    for number, target in enumerate(examples.targets):
        _, read = examples.histories(examples.targets[:0] + number)
        places, read = examples.histories(pa.array([number]).to_numpy())
        assert set(places) == {0}
        assert {matrix.users[one] for one in read} == {matrix.users[target]}
        key = (int(matrix.users[target]), ids[matrix.items[target]])
        found[key] = "".join(ids[matrix.items[one]] for one in read)
    assert len(found) == len(examples.targets)
    return found
