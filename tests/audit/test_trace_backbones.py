"""A trace of a blend names its components, and the users behind what models proposed; that of any
other backbone says what the tables know.
"""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from llm_i2i_spark.audit.trace import trace_edge, trace_lines
from llm_i2i_spark.audit.trace.edge import Component, GeneratedEvidence
from llm_i2i_spark.backbones import Attribution
from tests.audit.commits import LLM_I2I
from tests.audit.example_lake import GENERATOR, brute_force_attribution

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def blend(with_backbones, history):
    return trace_edge(with_backbones, history.config, "C", "B", backbone="blend")


@pytest.fixture(scope="module")
def parts(history):
    """Each user's part by neighbour of C."""
    rows = history.lake.read("fused", 1, LLM_I2I).collect()
    return brute_force_attribution([row.asDict() for row in rows], "C", Attribution())


def test_components_have_their_shares_and_the_weights_for_items_of_so_many_clicks(blend) -> None:
    evidence = blend.evidence
    # Users 1, 2 and 4 clicked C; the mixture that was written later gives text nothing.
    assert (evidence.clicks, evidence.least_clicks, evidence.most_clicks) == (3, 0, 3)
    assert evidence.components == (
        Component("attribution", 0.5, 0.125),
        Component("text", 0.375, 0.75),
        Component("em_transitions", 0.125, 0.125),
    )
    assert (blend.similarity.stored, blend.similarity.support) == (0.125, None)
    assert (blend.served.rank, blend.served.neighbors) == (1, 1)


def test_users_behind_a_component_are_those_to_whom_models_propose_the_neighbor(
    blend, parts
) -> None:
    users = blend.evidence.attribution.users
    assert {user.user_id: user.contribution for user in users.listed} == pytest.approx(
        parts["B"], rel=1e-9
    )
    assert [user.user_id for user in users.listed] == ["u2", "u4"]  # by contribution
    assert sum(user.share for user in users.listed) == pytest.approx(1.0)
    first = users.listed[0]
    assert (first.item.source, first.item.position) == ("real", 1)
    origin = first.neighbor.origin
    assert (origin.proposal.rank, origin.proposal.log_prob) == (1, -1.5)
    assert (origin.judgement.p_yes, origin.judgement.confidence) == (0.6, 0.08)
    assert [entry.item_id for entry in origin.proposal.prompt.history] == ["A", "C"]


def test_lines_of_a_blend_are_components_then_users_then_versions(blend) -> None:
    lines = trace_lines(blend)
    text = "\n".join(lines)
    assert lines[1].startswith("rank 1 of 1, score 1.25; llm_i2i, blend")
    assert lines[2] == "├─ similarity 0.125, 50% of it from language models"
    assert lines[3].endswith("the item has 3 real clicks; the weights are those for 0 to 3")
    assert "attribution: 50.0% of the mixture, weight 0.125" in lines[4]
    assert "text: 37.5% of the mixture, weight 0.75" in text
    assert "proposed at rank 1, log-probability -1.500" in text
    assert "- Silver A, by Brand [A]" in text  # of the prompt
    assert "mixtures v0: stage combine" in text
    json.dumps(asdict(blend))


def test_fewer_users_are_listed_than_there_are(with_backbones, history, parts) -> None:
    trace = trace_edge(with_backbones, history.config, "C", "B", backbone="blend", limit=1)
    assert [user.user_id for user in trace.users.listed] == ["u2"]
    rest = parts["B"]["u4"] / sum(parts["B"].values())
    assert (trace.users.total, trace.users.rest_share) == (2, pytest.approx(rest))
    assert f"and 1 more user, {rest:.1%} of this component" in "\n".join(trace_lines(trace))


def test_an_item_that_nobody_clicked_has_the_weights_of_rare_items(with_backbones, history) -> None:
    trace = trace_edge(with_backbones, history.config, "F", "B", backbone="blend")
    assert (trace.evidence.clicks, trace.evidence.least_clicks) == (0, 0)
    assert trace.evidence.components[0] == Component("text", 0.375, 0.75)
    # Not among those that the table names: the weight alone is known.
    assert trace.evidence.components[1] == Component("attribution", None, 0.125)
    assert trace.evidence.attribution is None
    assert trace.users is None
    assert "attribution: weight 0.125; not among the largest parts" in "\n".join(trace_lines(trace))


def test_behind_what_the_generator_proposes_after_the_item_is_its_rank_at_that_time(
    with_backbones, history
) -> None:
    trace = trace_edge(with_backbones, history.config, "F", "A", backbone="blend")
    # Proposals that were written later have it at rank 9.
    assert trace.evidence.generated == GeneratedEvidence(3, -1.5, GENERATOR, "p")
    lines = trace_lines(trace)
    above = next(n for n, line in enumerate(lines) if "generated: 25.0% of the mixture" in line)
    assert (
        "the generator, asked about this item alone, proposes it at rank 3,"
        " log-probability -1.500 (model 9e9e9e9e9e9e)"
    ) in lines[above + 1]
    assert "item_candidates v0: stage generate" in "\n".join(lines)
    json.dumps(asdict(trace))


def test_a_similarity_of_attribution_is_the_sum_of_its_users(
    with_backbones, history, parts
) -> None:
    trace = trace_edge(with_backbones, history.config, "C", "B", backbone="attribution")
    assert trace.evidence.recomputed.adds_up
    assert trace.similarity.support == trace.users.total == len(parts["B"])
    assert "the users' parts add up to it" in "\n".join(trace_lines(trace))


def test_of_other_backbones_a_trace_says_what_the_tables_know(with_backbones, history) -> None:
    trace = trace_edge(with_backbones, history.config, "C", "B", backbone="linear")
    assert (trace.evidence, trace.users) == (None, None)
    assert trace.similarity.stored == 0.5
    lines = trace_lines(trace)
    assert lines[2] == "├─ similarity 0.5"
    assert lines[3] == "└─ made from"
    assert [origin.table for origin in trace.versions][:3] == [
        "item_index",
        "item_similarity",
        "mixtures",
    ]
