"""A lake that version 0.1 wrote is traced and listed, also after this version has added to it."""

from __future__ import annotations

import pytest

from llm_i2i_spark.audit.runs import list_runs, runs_lines
from llm_i2i_spark.audit.trace import trace_edge, trace_lines
from llm_i2i_spark.config.files import load_config
from tests.audit.commits import REAL, Writer
from tests.audit.example_lake import GENERATOR, brute_force, neighbor
from tests.stage_runs import put_rows

pytestmark = pytest.mark.spark

OTHER_BRANCH = {"branch": "no_long_tail_loss"}


@pytest.fixture(scope="module")
def trace(old_history):
    return trace_edge(old_history.lake, old_history.config, "A", "B")


def test_its_parts_add_up_and_its_prompts_are_known(old_history, trace) -> None:
    parts = brute_force(old_history.lists["llm_i2i"], "A", "B", old_history.config.i2i.swing)
    found = {user.user_id: user.contribution for user in trace.users.listed}
    assert found == pytest.approx(parts, rel=1e-12)
    recomputed = trace.evidence.recomputed
    assert (recomputed.adds_up, recomputed.doubts) == (True, ())
    row = next(user for user in trace.users.listed if user.user_id == "u4").item
    assert [entry.item_id for entry in row.origin.proposal.prompt.history] == ["C", "D", "E"]
    assert row.origin.proposal.prompt.as_recorded
    assert row.origin.proposal.model.path == "models/used/generator"
    assert row.origin.judgement.p_yes == 0.9
    tables = {origin.table: origin.version for origin in trace.versions}
    assert tables["scored"] == tables["candidates"] == tables["sft_generator"] == 0
    assert tables["fused"] == 1


def test_settings_that_its_records_do_not_hold_are_those_given(old_history, trace) -> None:
    settings = [
        "i2i.swing.a1=3",
        "i2i.swing.max_items_per_user=2",
        "i2i.swing.max_users_per_item=2",
        "export.history_length=1",
    ]
    given = load_config([], [f"lake.root={old_history.root}", *settings])
    other = trace_edge(old_history.lake, given, "A", "B")
    assert not other.evidence.recomputed.adds_up
    assert other.similarity.stored == trace.similarity.stored
    doubts = " ".join(other.evidence.recomputed.doubts)
    assert "not in every point those of run 20250101T000000-past" in doubts
    assert "max_items_per_user=2 was cut" in doubts
    assert "max_users_per_item=2 may" in doubts
    row = next(user for user in other.users.listed if user.user_id == "u2").neighbor
    assert [entry.item_id for entry in row.origin.proposal.prompt.history] == ["C"]
    assert not row.origin.proposal.prompt.as_recorded
    text = "\n".join(trace_lines(other))
    assert "do NOT add up" in text
    assert "the settings given are not the generator's, so its history may have been cut" in text


def test_what_this_version_adds_stands_beside_it(old_history, old_copied, trace) -> None:
    config, run_id = old_history.config, "20260101T000000-next"
    candidate = ("no_long_tail_loss", "u1", "D", 1, -1.0, GENERATOR, "p", "d")
    put_rows(old_copied, config, "candidates", [candidate], run_id=run_id)
    bm25 = REAL | {"backbone": "bm25"}
    index = [("real", "bm25", "A", [neighbor("F", 1.0, 1)])]
    Writer(old_copied, config, run_id)("item_index", index, {"item_similarity": 0}, [bm25])
    again = trace_edge(old_copied, config, "A", "B")
    assert (again.versions[0].version, again.versions[0].written) == (1, 0)
    assert again.users == trace.users
    assert again.versions[1:] == trace.versions[1:]
    old = old_copied.read("candidates", scope={"branch": "base"})
    assert old.count() == 4
    lines = runs_lines(list_runs(old_copied))
    assert [line for line in lines if "no run record" in line and "TBLPROPERTIES" not in line] == []
    assert any(line.startswith("run 20250101T000000-past") for line in lines)
    assert "  generate      candidates v2 (1 rows) for branch no_long_tail_loss" in lines
    assert "  generate      candidates v0 (4 rows) from interactions v0, items v0" in " ".join(
        lines
    )
