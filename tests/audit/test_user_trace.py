"""What a user's rows touched, counted by hand from the example lake."""

from __future__ import annotations

import json

import pytest

from llm_i2i_spark.audit.user_trace import follow, trace_user
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.cli.main import main
from llm_i2i_spark.project import Project
from tests.audit.example_lake import PROPOSED, VOTES

pytestmark = pytest.mark.spark


def test_rows_proposals_models_and_entries_of_a_user(history, monkeypatch) -> None:
    found = Project(config=history.config).trace_user("u4", entries=3)
    assert (found.variant, found.backbone, found.index_version) == ("llm_i2i", "swing", 2)
    assert {one.table: (one.version, one.rows) for one in found.rows} == {
        "interactions": (0, 3),
        "candidates": (0, 2),
        "scored": (0, 2),
        "fused": (1, 5),
    }
    proposed = {item: values[3] for (user, item), values in PROPOSED.items() if user == "u4"}
    assert {one.item_id: one.confidence for one in found.synthetic} == proposed
    assert [one.title for one in found.synthetic] == ["Silver A", "Silver B"]
    items = history.lists["llm_i2i"]["u4"]
    index = {
        row["item_id"]: [entry["item_id"] for entry in row["neighbors"]]
        for row in history.lake.read("item_index", 2)
        .where("variant = 'llm_i2i' AND backbone = 'swing'")
        .collect()
    }
    both = [(i, j) for i in items for j in index.get(i, ()) if j in items]
    assert found.entries_total == len(both)
    assert {(one.item_id, one.neighbor_id) for one in found.entries} <= set(both)
    supports = [one.support for one in found.entries]
    assert supports == sorted(supports)
    assert (len(found.entries), found.models, found.is_learned) == (3, (), False)
    # A user of more items than are looked up one by one.
    monkeypatch.setattr(follow, "MOST_LOOKED_UP", 1)
    assert Project(config=history.config).trace_user("u4", entries=3) == found
    json.dumps(found.to_dict())


def test_a_user_with_training_examples_names_the_models(history, capsys) -> None:
    root = f"lake.root={history.root}"
    assert main(["audit", "trace", "--user", "u1", "--set", root]) == 0
    shown = capsys.readouterr().out
    assert "sft_generator[branch=base] v0: 1 rows" in shown
    assert "generator 9e9e9e9e9e9e in models/used/generator (1 examples of the user)" in shown
    assert "discriminator d1" not in shown
    assert "interactions that language models added: 0" in shown


def test_votes_for_rows_of_others_are_counted(with_llm_cf) -> None:
    lake, _ = with_llm_cf
    found = trace_user(lake, "u1", "llm_cf", "swing")
    voted = [pair for pair, (_, votes) in VOTES.items() if votes[0][0].startswith("u1|")]
    assert found.votes == len(voted) == 1


def test_what_is_asked_wrongly_is_a_sentence(history, capsys) -> None:
    with pytest.raises(UserError, match="was made from holds a user u99; check the id"):
        Project(config=history.config).trace_user("u99")
    root = ["--set", f"lake.root={history.root}"]
    for given in ([], ["--item", "A"], ["--user", "u1", "--item", "A", "--neighbor", "B"]):
        assert main(["audit", "trace", *given, *root]) == 2
        assert "Name an edge by --item and --neighbor, or one --user" in capsys.readouterr().err
