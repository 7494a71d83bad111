"""The backbones that learn embeddings through the command line, on real and mended interactions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_i2i_spark.base.contract import scope_key
from llm_i2i_spark.base.run_record import commit_of
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from tests.e2e.conftest import Finished

pytestmark = [pytest.mark.e2e, pytest.mark.lm]
STAGES = [
    "ingest",
    "export",
    "sft",
    "generate",
    "discriminate",
    "fuse",
    "embed",
    "i2i",
    "index",
    "evaluate",
]
VARIANTS = ("real", "llm_i2i")
SETTINGS = {
    "bpr": ("i2i.bpr.factors=8", "i2i.bpr.batch_size=64", "i2i.bpr.epochs=20"),
    "youtube_dnn": (
        "i2i.youtube_dnn.dims=8",
        "i2i.youtube_dnn.hidden=[8]",
        "i2i.youtube_dnn.batch_size=64",
        "i2i.youtube_dnn.epochs=20",
    ),
}


@pytest.mark.parametrize("backbone", SETTINGS)
def test_embeddings_are_learned_from_each_variant_compared_and_served(
    copied: Finished, here: Any, tmp_path: Path, backbone: str
) -> None:
    root, arguments, _ = copied
    arguments += [part for setting in SETTINGS[backbone] for part in ("--set", setting)]
    done = json.loads(here.run("run", "--json", *arguments, "--backbones", backbone))
    assert [stage["stage"] for stage in done["stages"]] == STAGES
    lake = DeltaRsLake(LakeConfig(root=str(root)))
    vectors, similar = {}, {}
    for name in VARIANTS:
        scope = {"variant": name, "backbone": backbone}
        rows = lake.read("item_embeddings", None, ["item_id", "embedding"], scope)
        vectors[name] = {row["item_id"]: np.array(row["embedding"]) for row in rows.to_pylist()}
        fused = lake.read("fused", None, ["item_id"], {"variant": name})
        assert vectors[name].keys() == set(fused["item_id"].to_pylist())
        record = commit_of(lake.history("item_embeddings"), scope).record
        assert len(record.attributes["losses"][scope_key(scope)]) == 20
        columns = ["item_id", "neighbor_id", "similarity", "support", "synthetic_share"]
        similar[name] = lake.read("item_similarity", None, columns, scope).to_pylist()
        assert done["metrics"]["variants"][name]["all"]["recall@10"]["value"] > 0
    edge = similar["llm_i2i"][0]
    x, y = (vectors["llm_i2i"][edge[end]] for end in ("item_id", "neighbor_id"))
    cosine = x @ y / np.linalg.norm(x) / np.linalg.norm(y)
    assert edge["similarity"] == pytest.approx(cosine**4, rel=0.02, abs=1e-3)
    assert (edge["support"], edge["synthetic_share"]) == (None, None)

    out = tmp_path / "users.jsonl"
    by_vectors = ("recommend", *arguments, "--by-vectors", "--out", str(out))
    if backbone == "youtube_dnn":
        here.run(*by_vectors)
        lists = [json.loads(line) for line in out.read_text().splitlines()]
        users = lake.read("fused", None, ["user_id"], {"variant": "llm_i2i"})["user_id"]
        assert [one["user_id"] for one in lists] == sorted(set(users.to_pylist()))
        assert all(len(one["recommendations"]) == 10 for one in lists)
    else:
        message = "learns no network for users; ask for youtube_dnn"
        assert message in here.refuse(*by_vectors, "--backbone", backbone)

    plan = json.loads(here.run("explain", "--json", *arguments, "--backbones", backbone))
    assert all(stage["up_to_date"] for stage in plan)
    found = here.run("lookup", *arguments, "--backbone", backbone, "--item", edge["item_id"])
    neighbor = json.loads(found.splitlines()[0])["item_id"]
    ends = ("--item", edge["item_id"], "--neighbor", neighbor, "--backbone", backbone)
    assert neighbor in here.run("audit", "trace", *arguments, *ends)
    again = here.run("audit", "replay", done["run_id"], "--stage", "embed", *arguments)
    assert "2 of 2 stages wrote the same rows again" in again
