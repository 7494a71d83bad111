"""Backbone blend through the command line, with language models: every stage for real."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from tests.e2e.conftest import Finished

pytestmark = pytest.mark.e2e
STAGES = [
    "ingest",
    "encode",
    "export",
    "sft",
    "generate",
    "discriminate",
    "fuse",
    "combine",
    "i2i",
    "index",
    "evaluate",
]


def test_a_blend_is_trained_on_what_its_models_have_not_seen_and_explains_itself(
    copied: Finished, here: Any
) -> None:
    root, given, _ = copied
    arguments = [*given, "--set", "i2i.blend.least_steps=20", "--backbones", "blend"]
    done = json.loads(here.run("run", "--json", *arguments))
    assert [stage["stage"] for stage in done["stages"]] == STAGES
    lake = DeltaRsLake(LakeConfig(root=str(root)))

    fused = lake.read("fused", None, ["variant", "user_id", "item_id", "source"]).to_pylist()
    pairs = {
        name: {
            (row["user_id"], row["item_id"])
            for row in fused
            if (row["variant"], row["source"]) == (name, "real")
        }
        for name in ("llm_i2i", "llm_i2i_held_back")
    }
    examples = lake.read("combiner_examples", None, ["variant", "user_id", "item_id"]).to_pylist()
    for row in examples:
        pair = row["user_id"], row["item_id"]
        assert pair in pairs["llm_i2i"] - pairs["llm_i2i_held_back"]
    assert {row["variant"] for row in examples} == {"real", "llm_i2i"}
    mixtures = lake.read("mixtures", None, ["variant", "component"]).to_pylist()
    assert {row["variant"] for row in mixtures if row["component"] == "generated"} == {"llm_i2i"}
    exported = lake.read("sft_generator", None, ["user_id", "targets", "branch"])
    held_back = exported.filter(pc.equal(exported["branch"], "base_held_back")).to_pylist()
    shown = {(row["user_id"], one["item_id"]) for row in held_back for one in row["targets"]}
    assert shown
    assert not shown & (pairs["llm_i2i"] - pairs["llm_i2i_held_back"])

    page = Path(done["report"]).read_text()
    assert "What the blend is made of" in page
    assert "How the combiner learned" in page
    plan = json.loads(here.run("explain", "--json", *arguments))
    assert all(stage["up_to_date"] for stage in plan)
    columns, scope = ["item_id", "components"], {"variant": "llm_i2i", "backbone": "blend"}
    similar = lake.read("item_similarity", None, columns, scope).to_pylist()
    edge = similar[0]
    assert "generated" in {part["component"] for row in similar for part in row["components"]}
    index = here.run("lookup", *arguments[:-2], "--backbone", "blend", "--item", edge["item_id"])
    first = json.loads(index.splitlines()[0])["item_id"]
    ends = ("--item", edge["item_id"], "--neighbor", first, "--backbone", "blend")
    trace = here.run("audit", "trace", *arguments[:-2], *ends)
    assert "mixture" in trace
    assert "combiner_examples" in here.run("audit", "runs", *arguments[:-2])
    again = here.run("audit", "replay", done["run_id"], "--stage", "combine", *arguments[:-2])
    assert "combiners v" in again
    assert "1 of 1 stages wrote the same rows again" in again
