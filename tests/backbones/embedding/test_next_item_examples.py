"""Which interactions a model of the next item predicts, and what it reads to do so."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest

from llm_i2i_spark.backbones.embedding.interaction_matrix import (
    InteractionMatrix,
    columns_for,
    interaction_matrix,
)
from llm_i2i_spark.backbones.embedding.next_item_examples import next_item_examples
from llm_i2i_spark.base.errors import InputDataError

LOG = [
    ("u", "c", 0),
    ("u", "b", 4),
    ("u", "a", 4),
    ("u", "d", 9),
    ("u", "z", None),
    ("u", "y", None),
    ("v", "b", 7),
    ("v", "x", None),
    ("w", "e", 1),
    ("x", "a", None),
    ("x", "f", None),
]


def matrix_of(rows: list[tuple[str, str, int | None]]) -> InteractionMatrix:
    users, items, positions = map(list, zip(*rows, strict=True))
    table = pa.table({"user_id": users, "item_id": items, "weight": [1.0] * len(rows)})
    return interaction_matrix(table.append_column("position", pa.array(positions, pa.int32())))


def histories(matrix: InteractionMatrix, history: int) -> dict[str, str]:
    """By number of the user and item to predict: the items of its history, oldest first."""
    examples, ids = next_item_examples(matrix, history), matrix.item_ids.to_pylist()
    places, read = examples.histories(np.arange(len(examples.targets)))
    found = {}
    for number, target in enumerate(examples.targets):
        own = read[places == number]
        assert set(matrix.users[own]) == {matrix.users[target]}
        name = f"{matrix.users[target]}{ids[matrix.items[target]]}"
        found[name] = "".join(ids[item] for item in matrix.items[own])
    assert len(found) == len(examples.targets)
    return found


def test_clicks_are_predicted_from_those_before_and_proposals_from_the_last():
    wanted = {"0a": "c", "0b": "ca", "0d": "cab", "0y": "cabd", "0z": "cabd", "1x": "b"}
    assert histories(matrix_of(LOG), 20) == wanted
    assert histories(matrix_of(LOG), 2) == {name: read[-2:] for name, read in wanted.items()}
    for seed in range(3):
        assert histories(matrix_of(random.Random(seed).sample(LOG, len(LOG))), 20) == wanted


def test_histories_come_in_the_order_of_the_examples_that_are_chosen():
    examples = next_item_examples(matrix_of(LOG), 20)
    places, read = examples.histories(np.array([2, 0, 2]))
    lengths = examples.ends - examples.starts
    assert np.bincount(places).tolist() == lengths[[2, 0, 2]].tolist()
    assert read[places == 0].tolist() == read[places == 2].tolist()
    assert examples.histories(np.array([0]))[1].tolist() == read[places == 1].tolist()


def test_named_are_the_interactions_that_some_example_predicts_or_reads():
    matrix = matrix_of(LOG)
    named = next_item_examples(matrix, 20).named()
    ids = matrix.item_ids.to_pylist()
    names = {f"{matrix.users[one]}{ids[matrix.items[one]]}" for one in named}
    assert names == {"0a", "0b", "0c", "0d", "0y", "0z", "1b", "1x"}
    # The one click is read by nothing but the proposal, and only the last of many is.
    assert len(next_item_examples(matrix_of([*LOG[:1], *LOG[6:]]), 1).named()) == 2


def test_without_positions_there_is_no_next_item():
    table = pa.table({"user_id": ["u"], "item_id": ["a"], "weight": [1.0]})
    with pytest.raises(InputDataError, match="needs the positions"):
        next_item_examples(interaction_matrix(table), 3)
    assert columns_for(True) == (*columns_for(False), "position")
