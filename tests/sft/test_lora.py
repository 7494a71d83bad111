"""Fine-tuning by adapters: the job in both layouts, resumed trainings, and what is refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import ConfigError, MissingDependencyError
from llm_i2i_spark.base.extras import EXTRAS
from llm_i2i_spark.base.fingerprint import Ingredients
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lm.checkpoint import load_checkpoint
from llm_i2i_spark.lm.decoding import propose
from llm_i2i_spark.lm.encoding import ScoringRequest
from llm_i2i_spark.lm.scoring import score
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.sft.engine import DEFAULT_SETTINGS
from llm_i2i_spark.sft.roles import ROLES
from llm_i2i_spark.sft.stage import STAGE

pytestmark = pytest.mark.lm
RANK = 2


def write_base_and_lake(tiny, folder, layout, **sft):
    """A lake, a base model beside it, and a configuration that adapts it."""
    root = tiny.write_lake(folder / "lake", layout)
    lake = DeltaRsLake(LakeConfig(root=str(root)))
    texts = lake.read("items", 0, ["item_id", "text"]).column("text").to_pylist()
    tiny.base_model(folder / "base", texts)
    adapted = {"base_model": str(folder / "base"), "lora": {"rank": RANK}, "max_length": 256}
    config = tiny.write_config(root, {**adapted, "epochs": 3, **sft}, export={"layout": layout})
    return root, config


def committed(root):
    """The folders of the committed checkpoints by role."""
    lake = DeltaRsLake(LakeConfig(root=str(root)))
    rows = lake.read("checkpoints", 0, list(TABLES["checkpoints"].names)).to_pylist()
    return {row["role"]: Path(row["path"]) for row in rows}


@pytest.mark.parametrize("layout", ["instruct", "sequence"])
def test_adapters_learn_and_what_reads_the_checkpoint_need_not_know_of_them(
    tiny, run_here, tmp_path, layout
):
    quick = {"epochs": 4, "learning_rate": 1e-3}
    root, config = write_base_and_lake(
        tiny, tmp_path, layout, learning_rate=1e-2, discriminator=quick
    )
    run_here(config)
    folders = committed(root)
    before = load_file(tmp_path / "base" / "model.safetensors")
    after = load_file(folders["generator"] / "backbone" / "model.safetensors")
    for name, weights in after.items():
        change = weights - before[f"model.{name}"]
        if "_proj" in name:
            assert 0 < torch.linalg.matrix_rank(change, rtol=1e-4) <= RANK < min(change.shape), name
        else:
            assert not change.any(), name

    for role in ROLES:
        curve = (folders[role.name] / "training.jsonl").read_text().splitlines()
        losses = [json.loads(line)["loss"] for line in curve]
        assert losses[-1] < losses[0] - 0.01, role.name
    generator, discriminator = (
        load_checkpoint(folders[role.name], role.template, "cpu") for role in ROLES
    )
    assert generator.manifest["lora_rank"] == discriminator.manifest["lora_rank"] == RANK
    history = [Item("i00", "red lip balm number 0"), Item("i05", "red lip balm number 5")]
    proposals = propose(generator, [history], [["i00", "i05"]], 4, 4096)[0]
    assert len({one.item_id for one in proposals} - {"i00", "i05"}) == 4
    requests = [ScoringRequest(2, Item(one.item_id, "")) for one in proposals]
    assert np.isfinite(score(discriminator, [history], [requests], 4096)[0]).all()


class Stopped(Exception):
    """Stands for whatever ends a job between two steps."""


def stopped_in_the_third_epoch(role):
    """The role, whose training ends there."""

    def objective(training):
        made = role.objective(training)
        loss, calls = made.loss, iter(range(4 * math.ceil(len(made.weights) / 16) + 3))

        def stopping_loss(*inputs):
            if next(calls, None) is None:
                raise Stopped
            return loss(*inputs)

        made.loss = stopping_loss
        return made

    return replace(role, objective=objective)


@pytest.mark.parametrize(
    ("engine", "role"), [("plain", "discriminator"), ("deepspeed", "generator")]
)
@pytest.mark.faults("F16", end="same")
def test_resumed_adapters_end_with_the_same_weights(tiny, run_here, tmp_path, engine, role):
    settings = {"checkpoint_every": 1, "dropout": 0.2, "deepspeed": None}
    settings["discriminator"] = {"epochs": 3, "batch_size": 16}
    if engine == "deepspeed":
        settings["deepspeed"] = str(tmp_path / "zero2.json")
        (tmp_path / "zero2.json").write_text(DEFAULT_SETTINGS.read_text())
    root, config = write_base_and_lake(tiny, tmp_path / "stopped", "sequence", **settings)
    whole, undisturbed = write_base_and_lake(tiny, tmp_path / "whole", "sequence", **settings)
    with pytest.raises(Stopped):
        run_here(
            config,
            roles=[stopped_in_the_third_epoch(one) if one.name == role else one for one in ROLES],
        )
    weights = load_file(
        next(root.glob(f"checkpoints_files/_partial/*/{role}/epoch-00002"))
        / "state" / "weights.safetensors"
    )  # fmt: skip
    of_backbone = {name for name in weights if name.startswith("backbone.")}
    assert of_backbone
    assert all(".lora_" in name for name in of_backbone)
    assert "item_embedding.weight" in weights
    _, notes = run_here(config)
    assert f"resumed the {role} after epoch 2" in notes
    run_here(undisturbed)
    # The names hold the digests of all weights.
    assert {path.name for path in committed(root).values()} == {
        path.name for path in committed(whole).values()
    }


def test_the_switch_belongs_to_what_the_result_depends_on():
    def fingerprint(**lora):
        config = Config.model_validate({"sft": {"base_model": "folder", "lora": lora}})
        settings = config.settings(*STAGE.settings)
        return Ingredients("sft", {}, {}, {}, settings, code_digest="c").fingerprint

    made = [fingerprint(), fingerprint(rank=4), fingerprint(rank=4, alpha=4)]
    made.append(fingerprint(rank=4, target_modules="q_proj, v_proj"))
    assert len(set(made)) == 4


def test_a_missing_package_is_said_before_anything_runs(monkeypatch):
    config = Config.model_validate({"sft": {"base_model": "folder", "lora": {"rank": 4}}})
    STAGE.prepare(config, [])
    monkeypatch.setitem(EXTRAS, "lora", ("absent_package",))
    with pytest.raises(MissingDependencyError, match=r"absent_package.*llm-i2i-spark\[lora\]"):
        STAGE.prepare(config, [])
    STAGE.prepare(Config(), [])  # nobody asks for adapters


def test_the_compact_model_has_nothing_to_adapt(tiny, tmp_path):
    config = Config.model_validate({"sft": {"lora": {"rank": 4}}})
    with pytest.raises(ConfigError, match=r"rank=4 adapts a pretrained model.*sft\.base_model"):
        STAGE.prepare(config, [])
    done = tiny.run_job(tiny.write_config(tmp_path), "--set", "sft.lora.rank=4")
    assert done.returncode == 2
    assert "sft.lora.rank=4 adapts a pretrained model" in done.stderr
