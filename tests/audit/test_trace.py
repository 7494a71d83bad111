"""A trace reads what was used, not what is newest; its parts add up; what cannot be traced is one
sentence.
"""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from llm_i2i_spark.audit.trace import trace_edge, trace_lines
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import StageError, UserError
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.tables import Lake, contract_schema
from llm_i2i_spark.prompts.templates import GENERATOR, prompt_digest
from tests.audit.commits import LLM_I2I, SWING, Writer
from tests.audit.example_lake import brute_force, neighbor
from tests.stage_runs import put_rows

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def trace(history):
    return trace_edge(history.lake, history.config, "A", "B")


def _by_user(trace):
    return {user.user_id: user for user in trace.users.listed}


def test_parts_add_up_to_the_recorded_similarity(history, trace) -> None:
    parts = brute_force(history.lists["llm_i2i"], "A", "B", history.config.i2i.swing)
    assert {user.user_id: user.contribution for user in trace.users.listed} == pytest.approx(
        parts, rel=1e-12
    )
    assert set(parts) == {"u1", "u2", "u3", "u4", "u6"}  # u5 bought B in the held-out fold
    assert trace.similarity.stored == pytest.approx(sum(parts.values()), rel=1e-12)
    recomputed = trace.evidence.recomputed
    assert recomputed.adds_up
    assert recomputed.relative_difference < 1e-12
    assert recomputed.doubts == ()
    users = trace.users
    assert (trace.similarity.support, users.total, users.rest_share) == (5, 5, 0.0)
    shares = [user.share for user in trace.users.listed]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1.0)


def test_every_table_is_read_at_the_version_the_records_name(history, trace) -> None:
    versions = {origin.table: (origin.version, origin.written) for origin in trace.versions}
    assert versions.pop("item_index") == (2, 1)  # v2 wrote another backbone's index beside it
    assert versions.pop("fused") == (1, 0)  # v1 only changed a property
    others = (
        "item_similarity",
        "scored",
        "candidates",
        "checkpoints",
        "sft_generator",
        "items",
        "interactions",
    )
    assert versions == dict.fromkeys(others, (0, 0))
    assert all(history.lake.version(table) == 1 for table in others if table != "sft_generator")
    assert history.lake.version("fused") == 2
    assert {origin.record.run_id for origin in trace.versions} == {"20260102T000000-used"}
    assert trace.titles["A"] == "Silver A"
    assert (trace.served.rank, trace.served.neighbors) == (1, 4)
    assert trace.served.score == pytest.approx(10 * trace.similarity.stored)


def test_real_rows_carry_time_position_and_the_discriminators_score(trace) -> None:
    user = _by_user(trace)["u1"]
    assert (user.item.source, user.item.weight, user.item.confidence, user.item.position) == (
        "real",
        1.0,
        0.75,
        0,
    )
    assert user.item.ts.startswith("2025-03-01T00:00:00")
    assert (user.neighbor.confidence, user.neighbor.position, user.neighbor.origin) == (
        None,
        1,
        None,
    )


def test_synthetic_rows_carry_both_models_and_the_prompt(trace) -> None:
    row = _by_user(trace)["u4"].item
    assert (row.source, row.weight, row.confidence, row.ts, row.position) == (
        "synthetic",
        1.0,
        0.3,
        None,
        None,
    )
    proposal, judgement = row.origin.proposal, row.origin.judgement
    assert (proposal.rank, proposal.log_prob) == (1, -0.5)
    assert (proposal.model.digest, proposal.model.path, proposal.model.export_version) == (
        "9e" * 32,
        "models/used/generator",
        0,
    )
    assert (judgement.p_yes, judgement.confidence, judgement.decision) == (0.9, 0.3, True)
    assert (judgement.model.digest, judgement.model.path) == (
        "d1" * 32,
        "models/used/discriminator",
    )
    assert (proposal.prompt.layout, proposal.prompt.text) == ("sequence", "[C][D][E]")
    assert [(entry.item_id, entry.text) for entry in proposal.prompt.history] == [
        (i, f"Silver {i}, by Brand") for i in "CDE"
    ]
    assert proposal.prompt.digest == prompt_digest("sequence", GENERATOR)
    assert proposal.prompt.as_recorded
    assert _by_user(trace)["u4"].neighbor.weight == pytest.approx(0.2)


def test_the_wording_of_an_instruct_prompt_is_shown(trace) -> None:
    prompt = _by_user(trace)["u2"].neighbor.origin.proposal.prompt
    assert prompt.layout == "instruct"
    assert prompt.text.startswith("You know what the customers of an online shop buy.")
    assert "\n- Silver A, by Brand [A]\n- Silver C, by Brand [C]\nWhich item" in prompt.text


def test_lines_are_a_tree_with_titles(trace) -> None:
    lines = trace_lines(trace)
    text = "\n".join(lines)
    assert lines[0] == "Silver A (A)  →  Silver B (B)"
    assert lines[1].startswith("rank 1 of 4, score ")
    assert "the users' parts add up to it" in text
    assert "real      Silver A (A): 2025-03-01, position 0, weight 1, p_yes 0.75" in text
    assert (
        "proposed at rank 3, log-probability -4.000 (probability 0.018) by generator 9e9e9e9e9e9e"
        " (fine-tuned on sft_generator v0" in text
    )
    assert "judged No, p_yes 0.2, calibrated confidence 0.02 by discriminator" in text
    assert "item_index v2, the rows of v1: stage index" in text
    assert "fused v1, the rows of v0: stage fuse" in text
    assert "Later" not in text
    assert all(line.startswith(("├─ ", "└─ ", "│  ", "   ")) for line in lines[2:])
    json.dumps(asdict(trace))


def test_the_variant_real_has_no_model_behind_it(history) -> None:
    real = trace_edge(history.lake, history.config, "A", "B", variant="real")
    parts = brute_force(history.lists["real"], "A", "B", history.config.i2i.swing)
    assert {user.user_id: user.contribution for user in real.users.listed} == pytest.approx(
        parts, rel=1e-12
    )
    assert set(parts) == {"u1", "u6"}
    assert real.evidence.recomputed.adds_up
    assert all(
        end.source == "real" and end.origin is None
        for user in real.users.listed
        for end in (user.item, user.neighbor)
    )


def test_a_trace_needs_no_settings_but_the_recorded_ones(history, trace) -> None:
    settings = ["i2i.swing.a1=3", "export.history_length=1", "split.protocol=strict"]
    config = load_config([], [f"lake.root={history.root}", *settings])
    assert trace_edge(history.lake, config, "A", "B") == trace


def test_caps_that_left_out_users_are_named_where_the_parts_do_not_add_up(
    copied, history, trace
) -> None:
    lake, _ = copied
    caps = ["i2i.swing.max_items_per_user=2", "i2i.swing.max_users_per_item=2"]
    capped = load_config([], [f"lake.root={history.root}", *caps])
    write, scope = Writer(lake, capped, "20260104T000000-caps"), LLM_I2I | SWING
    rows = [("llm_i2i", "swing", "A", "B", 9.0, 9, 0.9, None)]
    similar = write("item_similarity", rows, {"fused": 1}, [scope])
    rows = [("llm_i2i", "swing", "A", [neighbor("B", 1.0, 1)])]
    write("item_index", rows, {"item_similarity": similar}, [scope])
    other = trace_edge(lake, history.config, "A", "B", limit=3)
    assert (other.similarity.stored, other.evidence.recomputed.adds_up) == (9.0, False)
    assert other.evidence.recomputed.similarity == pytest.approx(trace.similarity.stored)
    doubts = " ".join(other.evidence.recomputed.doubts)
    assert "max_items_per_user=2 was cut" in doubts
    assert "max_users_per_item=2 may" in doubts
    assert "settings given" not in doubts
    assert (len(other.users.listed), other.users.total) == (3, 5)
    assert other.users.rest_share == pytest.approx(
        1 - sum(user.share for user in other.users.listed)
    )
    text = "\n".join(trace_lines(other))
    assert "do NOT add up" in text
    assert "and 2 more users" in text


@pytest.mark.parametrize(
    ("item", "neighbor", "variant", "sentence"),
    [
        ("nothing", "B", "llm_i2i", "There is no item nothing"),
        ("F", "B", "llm_i2i", "F is in the catalogue but has no neighbour"),
        (
            "A",
            "F",
            "llm_i2i",
            r"F is not among the 4 neighbours of A .*first of them are B \(Silver B\), ",
        ),
        (
            "A",
            "B",
            "no_threshold",
            r"no variant no_threshold \(swing\), it holds llm_i2i \(swing\), real \(bm25\), real",
        ),
        ("A", "B", "llm_i3i", r"no variant llm_i3i \(did you mean llm_i2i\?\)"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(history, item, neighbor, variant, sentence) -> None:
    with pytest.raises(UserError, match=sentence):
        trace_edge(history.lake, history.config, item, neighbor, variant)


def test_without_an_index_the_stage_is_named(spark, tmp_path, history) -> None:
    with pytest.raises(UserError, match="run stage index first"):
        trace_edge(
            Lake(spark, load_config([], [f"lake.root={tmp_path}"]).lake), history.config, "A", "B"
        )


def test_an_earlier_index_is_traced_as_it_was(copied, history, trace) -> None:
    lake, _ = copied
    rows = [("llm_i2i", "swing", "A", [("B", 99.0, 1, 0.0)])]
    put_rows(lake, history.config, "item_index", rows, reads={"item_similarity": 0})
    assert lake.version("item_index") == 3
    assert trace_edge(lake, history.config, "A", "B", version=2) == trace


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        (0, r"item_index v0 holds no variant llm_i2i \(swing\), it holds real \(swing\)"),
        (9, r"no version 9 of item_index, the latest is 2; `llm-i2i audit runs` lists"),
        (-1, "no version -1 of item_index"),
    ],
)
def test_a_version_without_the_index_is_a_sentence(history, version, sentence) -> None:
    with pytest.raises(UserError, match=sentence):
        trace_edge(history.lake, history.config, "A", "B", version=version)


def test_an_index_that_someone_else_wrote_is_refused(copied, history) -> None:
    lake, root = copied
    stranger = lake.spark.createDataFrame(
        [("llm_i2i", "swing", "A", [("B", 1.0, 1, 0.0)])], contract_schema(TABLES["item_index"])
    )
    stranger.write.format("delta").mode("overwrite").save(str(root / "item_index"))
    with pytest.raises(UserError, match=r"item_index v3 carries no run record .*--from index"):
        trace_edge(lake, history.config, "A", "B")


def test_a_version_whose_files_are_gone_is_named(copied, history) -> None:
    lake, root = copied
    for file in (root / "scored").glob("**/*.parquet"):
        file.unlink()
    with pytest.raises(
        UserError,
        match=r"scored v0, but its files are gone .*run the stages from discriminate again",
    ):
        trace_edge(lake, history.config, "A", "B")


def test_an_index_that_does_not_fit_its_similarities_is_a_failed_stage(copied, history) -> None:
    lake, _ = copied
    rows = [("llm_i2i", "swing", "A", [("F", 1.0, 1, 0.0)])]
    put_rows(lake, history.config, "item_index", rows, reads={"item_similarity": 0})
    with pytest.raises(StageError, match="item_similarity v0, which it was made from, does not"):
        trace_edge(lake, history.config, "A", "F")


def test_an_unknown_backbone_is_a_sentence(history) -> None:
    with pytest.raises(UserError, match="no backbone 'swign'"):
        trace_edge(history.lake, history.config, "A", "B", backbone="swign")
