"""What a run would do: what is up to date, what is not, and why."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta

import pytest

from llm_i2i_spark.base import stage
from llm_i2i_spark.base.errors import TableNotFoundError
from llm_i2i_spark.base.run_record import ERASED_ROWS, LOST_FILES, LostFile, ScopeResult
from llm_i2i_spark.base.variants import BASE_BRANCH
from llm_i2i_spark.lake.forgotten import forget_users
from llm_i2i_spark.pipeline.find_results import find_version
from llm_i2i_spark.pipeline.planner import systems_in
from tests.pipeline.memory_lake import planned, reasons, to_do

REAL_STAGES = ["ingest", "fuse", "i2i", "index", "evaluate"]
MODEL_STAGES = ["export", "sft", "generate", "discriminate"]
BASE = f"branch={BASE_BRANCH}"
SWING = "variant=real,backbone=swing"


def test_an_empty_lake_needs_everything_and_a_finished_one_nothing(shop) -> None:
    plan = shop.plan(("real", "llm_i2i"))
    assert list(to_do(plan)) == ["ingest", *MODEL_STAGES, *REAL_STAGES[1:]]
    assert reasons(plan, "ingest") == {"": ("no result yet",)}
    assert reasons(plan, "i2i").keys() == {SWING, "variant=llm_i2i,backbone=swing"}
    assert not plan.up_to_date
    shop.run("real", "llm_i2i")
    plan = shop.plan(("real", "llm_i2i"))
    assert plan.up_to_date
    assert {line.split(maxsplit=1)[1] for line in plan.lines()} == {"up to date"}
    results = [result for stage in plan.stages for result in stage.results]
    assert all(result.present for result in results)


def test_a_variant_without_models_needs_none_of_their_stages(shop) -> None:
    assert list(to_do(shop.plan())) == REAL_STAGES


def test_the_rival_needs_neither_candidates_nor_scores_and_shares_the_models(shop) -> None:
    plan = shop.plan(("real", "llm_cf"))
    assert list(to_do(plan)) == ["ingest", "export", "sft", "retrieve", *REAL_STAGES[1:]]
    shop.run("real", "llm_cf")
    plan = shop.plan(("real", "llm_cf", "llm_i2i"))
    assert list(to_do(plan)) == ["generate", "discriminate", *REAL_STAGES[1:]]
    plan = shop.given("retrieve.neighbors=9").plan(("real", "llm_cf"))
    assert to_do(plan) == {
        "retrieve": [BASE],
        "fuse": ["variant=llm_cf"],
        "i2i": ["variant=llm_cf,backbone=swing"],
        "index": ["variant=llm_cf,backbone=swing"],
        "evaluate": [""],
    }
    # A branch that only another variant needs has no examples, and `generated` no scores.
    branches = to_do(shop.plan(("llm_cf", "no_long_tail_loss")))
    assert branches["discriminate"] == ["branch=no_long_tail_loss"]
    assert "retrieve" not in branches
    plan = shop.plan(("llm_cf",), backbones=("generated",))
    assert list(to_do(plan)) == ["generate", "i2i", "index", "evaluate"]


def test_a_changed_source_reaches_everything_that_was_made_from_it(shop) -> None:
    shop.run()
    (shop.folder / "items.csv").write_text("item_id,title\ni,another\n")
    plan = shop.plan()
    assert list(to_do(plan)) == REAL_STAGES
    assert reasons(plan, "ingest") == {"": ("the source of items has changed",)}
    assert reasons(plan, "fuse") == {"variant=real": ("interactions has changed",)}
    assert reasons(plan, "i2i") == {SWING: ("fused[variant=real] has changed",)}
    shop.run()
    assert shop.plan().up_to_date


def test_the_rules_of_variants_in_one_commit_are_no_reason(shop) -> None:
    both = ("real", "llm_i2i")
    shop.run(*both)
    (shop.folder / "items.csv").write_text("item_id,title\ni,another\n")
    found = reasons(shop.plan(both), "fuse")
    assert found["variant=real"] == ("interactions has changed",)
    assert found["variant=llm_i2i"] == (
        "interactions has changed",
        "scored[branch=base] has changed",
    )


def test_a_changed_setting_reaches_its_stage_and_those_after_it(shop) -> None:
    shop.run()
    plan = shop.given("index.size=7").plan()
    assert list(to_do(plan)) == ["index", "evaluate"]
    assert reasons(plan, "index") == {SWING: ("index.size was 200 and is 7",)}
    assert reasons(plan, "evaluate") == {"": (f"item_index[{SWING}] has changed",)}
    assert f"  {SWING}: index.size was 200 and is 7" in str(plan)


def test_how_synthetic_rows_are_fused_reaches_only_what_has_some(shop) -> None:
    shop.run("real", "llm_i2i")
    changed = to_do(shop.given("fuse.mode=threshold").plan(("real", "llm_i2i")))
    assert changed == {
        "fuse": ["variant=llm_i2i"],
        "i2i": ["variant=llm_i2i,backbone=swing"],
        "index": ["variant=llm_i2i,backbone=swing"],
        "evaluate": [""],
    }


def test_an_evaluation_is_found_after_others_have_replaced_what_it_was_made_from(shop) -> None:
    shop.run("real", "llm_i2i")
    first = shop.lake.history("metrics")[0]
    for settings in ("fuse.mode=threshold", "sft.alpha=2"):
        shop.given(settings).run("real", "llm_i2i")
    plan = shop.plan(("real", "llm_i2i"))
    assert list(to_do(plan)) == [*MODEL_STAGES, "fuse", "i2i", "index"]
    (evaluation,) = plan.stages[-1].results
    assert evaluation.up_to_date
    assert evaluation.present["metrics"].version == first.version


def test_options_that_change_no_row_change_no_plan(shop) -> None:
    shop.run("llm_i2i")
    runtime = ("sft.checkpoint_every=7", "i2i.blocks=3", "spark.memory=9g", "generate.device=cpu")
    assert shop.given(*runtime).plan(("llm_i2i",)).up_to_date


def test_changed_code_of_a_stage_is_a_reason(shop, monkeypatch) -> None:
    shop.run()
    digest = stage.code_digest
    changed = lambda *parts: "other" if "fuse" in parts else digest(*parts)  # noqa: E731
    monkeypatch.setattr(stage, "code_digest", changed)
    plan = shop.plan()
    assert list(to_do(plan)) == ["fuse", "i2i", "index", "evaluate"]
    assert reasons(plan, "fuse") == {"variant=real": ("the code of fuse has changed",)}


def test_another_variant_leaves_the_first_up_to_date(shop) -> None:
    shop.run("real")
    plan = shop.plan(("real", "llm_i2i"))
    assert to_do(plan) == {
        **{stage: [BASE] for stage in MODEL_STAGES},
        "fuse": ["variant=llm_i2i"],
        "i2i": ["variant=llm_i2i,backbone=swing"],
        "index": ["variant=llm_i2i,backbone=swing"],
        "evaluate": [""],
    }
    assert "fuse          runs, 1 of 2 results are up to date" in plan.lines()
    shop.run("llm_i2i")
    assert shop.plan(("real",)).up_to_date
    both = shop.plan(("real", "llm_i2i"))
    assert list(to_do(both)) == ["evaluate"]  # so that the two are paired by user


def test_another_backbone_leaves_the_first_up_to_date(shop) -> None:
    shop.run(backbones=("swing",))
    bm25 = "variant=real,backbone=bm25"
    plan = shop.plan(backbones=("swing", "bm25"))
    assert to_do(plan) == {"i2i": [bm25], "index": [bm25], "evaluate": [""]}
    shop.run(backbones=("bm25",))
    assert shop.plan(backbones=("swing",)).up_to_date


def test_features_of_texts_are_made_for_the_backbone_that_reads_them_alone(shop) -> None:
    text = "variant=real,backbone=text"
    plan = shop.plan(backbones=("swing", "text"))
    assert list(to_do(plan)) == ["ingest", "encode", *REAL_STAGES[1:]]
    shop.run(backbones=("swing", "text"))
    assert shop.plan(backbones=("swing", "text")).up_to_date
    other = shop.given("sft.text_dims=7")
    assert list(to_do(other.plan(backbones=("swing",)))) == ["evaluate"]  # one system, not two
    plan = other.plan(backbones=("swing", "text"))
    assert to_do(plan) == {"encode": [""], "i2i": [text], "index": [text], "evaluate": [""]}
    assert reasons(plan, "encode") == {"": ("sft.text_dims was 256 and is 7",)}
    assert reasons(plan, "i2i")[text] == ("item_features has changed",)


@pytest.mark.parametrize(
    ("name", "parameter", "default"), [("bpr", "factors", 100), ("youtube_dnn", "dims", 64)]
)
def test_embeddings_are_learned_for_the_backbone_that_reads_them_alone(
    shop, name: str, parameter: str, default: int
) -> None:
    own = f"variant=real,backbone={name}"
    plan = shop.plan(backbones=("swing", name))
    assert list(to_do(plan)) == ["ingest", "fuse", "embed", *REAL_STAGES[2:]]
    assert to_do(plan)["embed"] == [own]
    shop.run(backbones=("swing", name))
    assert shop.plan(backbones=("swing", name)).up_to_date
    plan = shop.given(f"i2i.{name}.{parameter}=7").plan(backbones=("swing", name))
    assert to_do(plan) == {"embed": [own], "i2i": [own], "index": [own], "evaluate": [""]}
    assert reasons(plan, "embed")[own] == (f"i2i.{name}.{parameter} was {default} and is 7",)
    plan = shop.given(f"i2i.{name}.exponent=2", "i2i.top_k=300").plan(backbones=(name,))
    assert to_do(plan) == {"i2i": [own], "index": [own], "evaluate": [""]}  # vectors stay
    served = shop.plan(("real_served",), (name,))
    assert to_do(served)["embed"] == [f"variant=real_served,backbone={name}"]


def test_a_changed_parameter_of_a_backbone_makes_that_backbone_alone_again(shop) -> None:
    shop.run(backbones=("swing", "bm25"))
    plan = shop.given("i2i.bm25.k1=2").plan(backbones=("swing", "bm25"))
    bm25 = "variant=real,backbone=bm25"
    assert to_do(plan) == {"i2i": [bm25], "index": [bm25], "evaluate": [""]}
    assert reasons(plan, "i2i")[bm25] == ("i2i.bm25.k1 was 1.2 and is 2.0",)
    assert reasons(plan, "i2i")[SWING] == ()


def test_the_rows_of_an_evaluation_stay_whatever_was_appended_since(shop) -> None:
    shop.run("real")
    first = shop.lake.version("metrics")
    shop.given("evaluate.bootstrap=77").run("real")
    assert shop.lake.version("metrics") > first
    evaluation = shop.plan(("real",)).stages[-1].results[0]
    assert evaluation.up_to_date
    assert evaluation.present["metrics"].version == first


def test_rows_that_were_replaced_are_made_again(shop) -> None:
    shop.run()
    shop.given("index.size=7").run()
    assert list(to_do(shop.plan())) == ["index"]


@pytest.mark.parametrize("table", ["interactions", "fused", "item_index"])
def test_tidying_a_table_changes_no_plan(shop, table) -> None:
    shop.run()
    for operation in ("OPTIMIZE", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES"):
        shop.lake.commit(table, None, operation)
    assert shop.plan().up_to_date
    assert shop.plan(first="index").up_to_date


@pytest.mark.parametrize("operation", ["WRITE", "DELETE", "MERGE", "RESTORE"])
@pytest.mark.parametrize("tidied", [False, True])
def test_rows_that_something_else_wrote_are_made_again(shop, operation, tidied) -> None:
    shop.run()
    shop.lake.commit("fused", None, operation)
    if tidied:
        shop.lake.commit("fused", None, "OPTIMIZE")
    plan = shop.plan()
    assert to_do(plan) == {"fuse": ["variant=real"]}
    assert reasons(plan, "fuse") == {"variant=real": ("something else wrote fused",)}


def test_rows_that_something_else_wrote_are_used_by_the_stages_asked_for(shop) -> None:
    shop.run()
    shop.lake.commit("fused", None, "MERGE")
    plan = shop.plan(first="i2i")
    assert list(to_do(plan)) == ["i2i", "index", "evaluate"]
    assert reasons(plan, "i2i") == {SWING: ("fused[variant=real] has changed",)}


def test_rows_that_something_else_wrote_stay_foreign_beside_results_of_this_package(shop) -> None:
    shop.run("real", "no_generator")
    shop.lake.commit("fused", None, "UPDATE")
    shop.run("real")
    plan = shop.plan(("real", "no_generator"))
    assert to_do(plan) == {"fuse": ["variant=no_generator"]}
    assert reasons(plan, "fuse")["variant=no_generator"] == ("something else wrote fused",)
    assert list(to_do(shop.plan(("no_generator",), first="i2i"))) == ["i2i", "index", "evaluate"]


def test_a_stage_that_left_only_some_of_its_tables_did_not_finish(shop) -> None:
    shop.run("llm_i2i")
    del shop.lake.histories["sft_discriminator"]
    plan = shop.plan(("llm_i2i",))
    assert to_do(plan) == {"export": [BASE]}
    assert reasons(plan, "export") == {BASE: ("its last run did not finish",)}


def test_force_makes_everything_again(shop) -> None:
    shop.run()
    plan = shop.plan(force=True)
    assert list(to_do(plan)) == REAL_STAGES
    assert reasons(plan, "fuse") == {"variant=real": ("asked for again",)}


def test_a_range_needs_the_tables_before_it(shop) -> None:
    with pytest.raises(TableNotFoundError, match="reads the table fused, which is not there; run"):
        shop.plan(first="i2i")
    shop.run("real")
    sentence = (
        r"Stage i2i reads fused\[variant=llm_i2i\], and the table fused holds no such result; run"
        r" stage fuse first with --variants llm_i2i\."
    )
    with pytest.raises(TableNotFoundError, match=sentence):
        shop.plan(("llm_i2i",), first="i2i")
    assert [one.stage.name for one in shop.plan(first="i2i", last="index").stages] == [
        "i2i",
        "index",
    ]


def test_a_served_variant_keeps_the_models_and_reads_every_interaction(shop) -> None:
    shop.run("llm_i2i")
    plan = shop.plan(("llm_i2i_served",))
    served = ["variant=llm_i2i_served,backbone=swing"]
    assert to_do(plan) == {
        "generate": ["branch=base_served"],
        "discriminate": ["branch=base_served"],
        "fuse": ["variant=llm_i2i_served"],
        "i2i": served,
        "index": served,
    }
    generate = next(one for one in plan.stages if one.stage.name == "generate").results[0]
    assert generate.config.split.protocol == "all"
    assert generate.reads["checkpoints"] == ({"branch": BASE_BRANCH},)
    shop.run("llm_i2i_served")
    assert shop.plan(("llm_i2i",)).up_to_date
    assert shop.plan(("llm_i2i_served",)).up_to_date


def test_a_variant_with_other_model_settings_has_a_branch_of_its_own(shop) -> None:
    shop.run("llm_i2i")
    other, branch = "no_long_tail_loss", "branch=no_long_tail_loss"
    plan = shop.plan(("llm_i2i", other))
    assert to_do(plan) == {
        **{stage: [branch] for stage in MODEL_STAGES},
        "fuse": [f"variant={other}"],
        "i2i": [f"variant={other},backbone=swing"],
        "index": [f"variant={other},backbone=swing"],
        "evaluate": [""],
    }
    export = next(one for one in plan.stages if one.stage.name == "export").results[1]
    assert (export.config.sft.alpha, export.config.sft.beta) == (1.0, 1.0)
    served = to_do(shop.plan((f"{other}_served",)))
    assert served["export"] == [branch]
    assert served["generate"] == [f"{branch}_served"]


def test_variants_of_one_branch_share_its_models(shop) -> None:
    shop.run("llm_i2i")
    variants = ("llm_i2i", "no_generator", "no_discriminator", "no_threshold")
    assert list(to_do(shop.plan(variants))) == REAL_STAGES[1:]


def test_systems_are_those_that_the_table_holds(shop) -> None:
    shop.run("real", backbones=("swing", "bm25"))
    shop.run("llm_i2i")
    found = {
        (variant.name, backbone)
        for variant, backbone in systems_in(shop.lake.history("item_index"))
    }
    assert found == {("real", "swing"), ("real", "bm25"), ("llm_i2i", "swing")}
    shop.lake.commit("item_index", None, "WRITE")
    assert systems_in(shop.lake.history("item_index")) == []


def test_a_result_of_version_0_1_is_made_again_with_a_reason_to_read(shop) -> None:
    shop.run()
    for history in shop.lake.histories.values():
        for number, commit in enumerate(history):
            results = {"": ScopeResult("f0")}
            old = replace(commit.record, scopes=results, settings={})
            old = replace(old, code_version="0.1.0")
            history[number] = replace(commit, record=old)
    plan = shop.plan()
    assert list(to_do(plan)) == REAL_STAGES
    sentence = "version 0.1.0 made it and did not record what it depends on"
    assert reasons(plan, "index") == {SWING: (sentence,)}


def test_a_backbone_depends_on_its_own_code_alone(shop, monkeypatch) -> None:
    shop.run("real", backbones=("swing", "bm25"))
    digest = stage.code_digest
    changed = lambda *parts: "other" if "kernels/bm25" in parts else digest(*parts)  # noqa: E731
    monkeypatch.setattr(stage, "code_digest", changed)
    plan = shop.plan(("real",), backbones=("swing", "bm25"))
    bm25 = "variant=real,backbone=bm25"
    assert to_do(plan) == {"i2i": [bm25], "index": [bm25], "evaluate": [""]}
    assert reasons(plan, "i2i") == {SWING: (), bm25: ("the code of i2i has changed",)}


def test_a_result_whose_files_are_lost_is_made_again_and_others_stay(shop) -> None:
    shop.run("real", "llm_i2i")
    bounds = {"variant": ("llm_i2i", "llm_i2i")}
    shop.lake.lost["fused"] = [LostFile("part-0.parquet", False, bounds)]
    plan = shop.plan(("real", "llm_i2i"))
    assert to_do(plan) == {"fuse": ["variant=llm_i2i"]}
    assert reasons(plan, "fuse")["variant=llm_i2i"] == ("files of fused are missing",)
    assert shop.plan(("real",), first="i2i", last="index").up_to_date
    with pytest.raises(TableNotFoundError, match="whose files are missing; run stage fuse again"):
        shop.plan(("llm_i2i",), first="i2i")


def test_lost_metrics_are_made_again_those_of_older_runs_too(shop) -> None:
    shop.run("real")
    shop.given("evaluate.bootstrap=77").run("real")
    shop.lake.lost["metrics"] = [LostFile("part-0.parquet", False)]
    assert to_do(shop.plan(("real",))) == {"evaluate": [""]}
    latest = shop.lake.history("metrics")[0]
    dropped = replace(latest.record, attributes={LOST_FILES: 1})  # the commit that dropped it
    shop.lake.lost.clear()
    shop.lake.commit("metrics", dropped)
    assert shop.given("evaluate.bootstrap=77").plan(("real",)).up_to_date
    assert to_do(shop.plan(("real",))) == {"evaluate": [""]}


def test_a_result_that_was_dropped_with_its_files_is_made_again(shop) -> None:
    shop.run("real", "llm_i2i")
    latest = shop.lake.history("fused")[0].record
    scopes = {"variant=real": ScopeResult(""), "variant=llm_i2i": latest.scopes["variant=llm_i2i"]}
    shop.lake.commit("fused", replace(latest, scopes=scopes))
    plan = shop.plan(("real", "llm_i2i"))
    assert to_do(plan) == {"fuse": ["variant=real"]}
    assert reasons(plan, "fuse")["variant=real"] == ("files of fused were missing",)


def test_a_result_that_lost_the_rows_of_a_forgotten_user_is_another_one(shop) -> None:
    shop.run("llm_i2i")
    shop.run("real")
    (latest,) = shop.lake.history("fused", 1)
    erased = replace(latest.record, scopes={}, attributes={ERASED_ROWS: {"variant=real": 3}})
    shop.lake.commit("fused", erased, "MERGE")
    plan = shop.plan(("real", "llm_i2i"))
    assert to_do(plan)["fuse"] == ["variant=real"]
    assert "i2i" not in to_do(plan)  # made from what fuse makes again, the same as before
    expected = ("rows of forgotten users were deleted from fused",)
    assert reasons(plan, "fuse")["variant=real"] == expected
    # Without the stage that would make it anew, what is there is used: the rows that are left.
    plan = shop.plan(("real", "llm_i2i"), first="i2i")
    assert reasons(plan, "i2i")[SWING] == ("fused[variant=real] has changed",)
    shop.run("real", "llm_i2i")
    assert shop.plan(("real", "llm_i2i")).up_to_date


def test_who_is_forgotten_is_left_out_by_the_next_run(shop) -> None:
    shop.run()
    forget_users(shop.folder / "lake", ["u"])
    plan = shop.plan()
    assert reasons(plan, "ingest") == {"": ("the source of forgotten_users has changed",)}
    assert list(to_do(plan)) == REAL_STAGES
    shop.run()
    assert shop.plan().up_to_date
    forget_users(shop.folder / "lake", ["u"])
    assert shop.plan().up_to_date
    forget_users(shop.folder / "lake", ["other"])
    assert list(to_do(shop.plan())) == REAL_STAGES


def test_rows_that_something_else_wrote_anew_are_not_those_of_then(shop) -> None:
    shop.run()
    shop.lake.commit("fused", None, "WRITE")
    first = shop.plan(first="i2i").stages[0].results[0].ingredients.inputs
    foreign = shop.lake.histories["fused"][0]
    later = replace(foreign, timestamp=foreign.timestamp + timedelta(seconds=1))
    shop.lake.histories["fused"][0] = later  # the same version number of a table made anew
    assert shop.plan(first="i2i").stages[0].results[0].ingredients.inputs != first


def test_changed_models_of_the_user_are_noticed(shop) -> None:
    model, deepspeed = shop.folder / "model", shop.folder / "zero.json"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "model.safetensors").write_bytes(b"weights")
    deepspeed.write_text("{}")
    shop = shop.given(f"sft.base_model={model}", f"sft.deepspeed={deepspeed}")
    shop.run("llm_i2i")
    assert shop.plan(("llm_i2i",)).up_to_date
    (model / "README.md").write_text("not read")
    assert shop.plan(("llm_i2i",)).up_to_date
    (model / "model.safetensors").write_bytes(b"WEIGHTS")
    plan = shop.plan(("llm_i2i",))
    assert reasons(plan, "sft") == {BASE: ("the source of sft.base_model has changed",)}
    shop.run("llm_i2i")
    deepspeed.write_text('{"zero": 1}')
    plan = shop.plan(("llm_i2i",))
    assert reasons(plan, "sft") == {BASE: ("the source of sft.deepspeed has changed",)}
    shop.run("llm_i2i")
    shutil.rmtree(model)  # the machine that plans may not be the one that trains
    assert shop.plan(("llm_i2i",)).up_to_date


def test_a_changed_text_encoder_makes_the_features_again(shop) -> None:
    encoder = shop.folder / "encoder"
    encoder.mkdir()
    (encoder / "model.safetensors").write_bytes(b"weights")
    shop = shop.given(f"sft.text_encoder={encoder}")
    shop.run(backbones=("text",))
    assert shop.plan(backbones=("text",)).up_to_date
    (encoder / "model.safetensors").write_bytes(b"WEIGHTS")
    plan = shop.plan(backbones=("text",))
    assert reasons(plan, "encode") == {"": ("the source of sft.text_encoder has changed",)}


def test_a_run_reads_the_version_that_holds_its_results(shop) -> None:
    shop.run("real")
    wanted = shop.lake.history("fused")[0].record.scopes["variant=real"].fingerprint
    version = shop.lake.version("fused")
    shop.given("seed=7").run("real")
    assert shop.lake.version("fused") > version
    history, scopes = shop.lake.history("fused"), {"fused[variant=real]": {"variant": "real"}}
    assert find_version(history, {"fused[variant=real]": wanted}, scopes) == version
    assert find_version(history, {"fused[variant=real]": "another"}, scopes) is None
    shop.lake.commit("fused", None, "OPTIMIZE")
    assert find_version(shop.lake.history("fused"), {"fused[variant=real]": wanted}, scopes) == 0


def test_a_trained_backbone_needs_the_same_without_each_users_last_interaction(shop) -> None:
    """What it is trained to predict is unknown to all that its training examples are made from."""
    plan = shop.plan(("real", "llm_i2i"), ("blend",))
    made = to_do(plan)
    branches = [BASE, f"{BASE}_held_back"]
    assert [made[stage] for stage in MODEL_STAGES] == [branches] * 4
    variants = ["real", "real_held_back", "llm_i2i", "llm_i2i_held_back"]
    assert made["fuse"] == [f"variant={name}" for name in variants]
    systems = ["variant=real,backbone=blend", "variant=llm_i2i,backbone=blend"]
    assert [made[stage] for stage in ("combine", "i2i", "index")] == [systems] * 3
    assert list(made)[:2] == ["ingest", "encode"]
    results = {one.scope["variant"]: one for one in planned(plan, "fuse").results}
    assert [results[name].config.split.hold_back for name in variants] == [0, 1, 0, 1]
    held_back = {"branch": f"{BASE_BRANCH}_held_back"}
    assert results["llm_i2i_held_back"].reads["scored"] == (held_back,)
    combine = planned(plan, "combine").results[1]
    assert combine.reads["fused"] == ({"variant": "llm_i2i"}, {"variant": "llm_i2i_held_back"})
    assert combine.reads["item_candidates"] == (held_back,)
    export = planned(plan, "export").results[1]
    assert (export.scope, export.config.split.hold_back) == (held_back, 1)
    shop.run("real", "llm_i2i", backbones=("blend",))
    assert shop.plan(("real", "llm_i2i"), ("blend",)).up_to_date
    assert to_do(shop.plan(("real", "llm_i2i"), ("swing",))).keys() == {"i2i", "index", "evaluate"}


def test_a_served_blend_keeps_the_combiner_of_the_variant_it_serves(shop) -> None:
    shop.run("llm_i2i", backbones=("blend",))
    plan = shop.plan(("llm_i2i_served",), ("blend",))
    served = ["variant=llm_i2i_served,backbone=blend"]
    assert to_do(plan) == {
        "generate": ["branch=base_served"],
        "discriminate": ["branch=base_served"],
        "fuse": ["variant=llm_i2i_served"],
        "i2i": served,
        "index": served,
    }
    trained = {"variant": "llm_i2i", "backbone": "blend"}
    reads = planned(plan, "i2i").results[0].reads
    assert reads["combiners"] == (trained,)
    assert reads["item_candidates"] == ({"branch": "base_served"},)


@pytest.mark.parametrize(
    ("variant", "branch"),
    [
        ("llm_i2i", "base"),
        ("no_discriminator", "base"),
        ("no_threshold", "base"),
        ("no_long_tail_loss", "no_long_tail_loss"),
    ],
)
def test_a_blend_asks_the_generator_of_its_variant_and_learns_from_the_one_held_back(
    shop, variant, branch
) -> None:
    plan = shop.plan((variant,), ("blend",))
    held_back = f"{branch}_held_back"
    assert to_do(plan)["generate"] == [f"branch={branch}", f"branch={held_back}"]
    reads = planned(plan, "i2i").results[0].reads
    assert reads["item_candidates"] == ({"branch": branch},)
    reads = planned(plan, "combine").results[0].reads
    assert reads["item_candidates"] == ({"branch": held_back},)


@pytest.mark.parametrize("variant", ["real", "no_generator"])
def test_a_blend_without_the_generator_reads_none_of_its_proposals(shop, variant) -> None:
    plan = shop.plan((variant,), ("blend",))
    for name in ("combine", "i2i"):
        assert "item_candidates" not in planned(plan, name).results[0].reads


def test_what_only_some_backbones_read_is_made_for_them_alone(shop) -> None:
    assert list(to_do(shop.plan(backbones=("text",))))[:2] == ["ingest", "encode"]
    assert "encode" not in to_do(shop.plan(backbones=("em_transitions",)))
    reads = planned(shop.plan(backbones=("text",)), "i2i").results[0].reads
    assert reads == {"fused": ({"variant": "real"},), "item_features": ({},)}
