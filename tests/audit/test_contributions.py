"""The parts of a similarity against the definition, and against published numbers."""

from __future__ import annotations

import random

import pytest

from llm_i2i_spark.audit.trace.contributions import Edge, swing_contributions
from llm_i2i_spark.backbones.swing import Swing
from tests.audit.example_lake import brute_force


def _edges(lists):
    return [
        Edge(user, item, weight) for user, edges in lists.items() for item, weight in edges.items()
    ]


@pytest.mark.parametrize("seed", range(5))
def test_parts_are_those_of_the_definition_on_random_weighted_graphs(seed) -> None:
    draw = random.Random(seed)
    swing = Swing(a1=draw.uniform(0, 5), a2=draw.uniform(0, 2), b=draw.uniform(-0.5, 1))
    items = [str(number) for number in range(9)]
    lists = {
        f"u{n}": {
            item: draw.uniform(0.01, 1)
            for item in {"1", "2", *draw.sample(items, draw.randint(0, 7))}
        }
        for n in range(30)
    }
    edges = _edges(lists)
    draw.shuffle(edges)
    found, wanted = swing_contributions(edges, "1", "2", swing), brute_force(lists, "1", "2", swing)
    assert len(found) == 30
    assert found == pytest.approx(wanted, rel=1e-12)


def test_a_single_user_makes_no_similarity() -> None:
    assert swing_contributions(_edges({"u": {"a": 1.0, "b": 1.0}}), "a", "b", Swing()) == {"u": 0.0}
    assert swing_contributions([], "a", "b", Swing()) == {}


def test_two_users_with_two_items_by_hand() -> None:
    lists = {"u": {"a": 1.0, "b": 1.0}, "v": {"a": 1.0, "b": 0.5, "c": 1.0}}
    parts = swing_contributions(_edges(lists), "a", "b", Swing(a1=1.0, a2=1.0, b=1.0))
    # w = 1/3 and 1/3.5, the edges' product .5, two common items.
    assert sum(parts.values()) == pytest.approx(1 / 3 / 3.5 * 0.5 / 3, rel=1e-14)
    assert parts["u"] == parts["v"]
