"""A trace of variant llm_cf shows the steps of similar users that voted for a synthetic row, as
they were when it was made.
"""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from llm_i2i_spark.audit.trace import trace_edge, trace_lines
from tests.audit.example_lake import brute_force

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def trace(with_llm_cf, history):
    return trace_edge(with_llm_cf[0], history.config, "A", "B", variant="llm_cf")


def test_parts_add_up_and_synthetic_rows_carry_the_examples_that_voted(
    trace, with_llm_cf, history
) -> None:
    users = {user.user_id: user for user in trace.users.listed}
    parts = brute_force(with_llm_cf[1], "A", "B", history.config.i2i.swing)
    assert {user: one.contribution for user, one in users.items()} == pytest.approx(parts)
    row = users["u2"].neighbor
    assert (row.source, row.weight, row.confidence) == ("synthetic", 0.75, 0.75)
    origin = row.origin
    assert (origin.proposal, origin.judgement) == (None, None)
    assert (origin.retrieval.rank, origin.retrieval.share) == (1, 0.75)
    assert origin.retrieval.model.path == "models/cf/generator"
    examples = [
        (one.example_id, one.user_id, one.similarity, one.share, one.reason_id, one.reasoning)
        for one in origin.retrieval.examples
    ]
    assert examples == [
        ("u1|1", "u1", 0.75, 0.5, "A", "B follows A."),
        ("u6|1", "u6", 0.5, 0.25, "A", "B follows A."),
    ]
    assert users["u1"].neighbor.origin is None


def test_lines_say_who_took_the_item_and_why(trace) -> None:
    text = "\n".join(trace_lines(trace))
    assert "taken in 2 similar steps, rank 1 with 75.0% of the votes; compared by generator" in text
    assert "user u6, similarity 0.500, 25.0% of the votes: B follows A." in text
    assert "later" not in text
    assert "retrieved v0: stage retrieve" in text
    json.dumps(asdict(trace))
