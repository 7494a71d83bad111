"""The job: what it writes, that ranks do not matter, both layouts, further roles, mistakes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from deltalake import DeltaTable

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.run_record import RunRecord
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lm.checkpoint import load_checkpoint
from llm_i2i_spark.lm.decoding import propose
from llm_i2i_spark.lm.model import FEATURE_SCALE
from llm_i2i_spark.lm.text_features import embed_texts
from llm_i2i_spark.metrics.reliability import Reliability
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.sft.roles import ROLES
from llm_i2i_spark.sft.saved_checkpoints import lost_checkpoint

pytestmark = pytest.mark.lm
COLUMNS = list(TABLES["checkpoints"].names)
TEMPLATES = {role.name: role.template for role in ROLES}


def committed(root, version=None):
    """The rows of `checkpoints` by role."""
    rows = (
        lake_of(root)
        .read("checkpoints", version if version is not None else latest(root), COLUMNS)
        .to_pylist()
    )
    return {row["role"]: row for row in rows}


def load(row):
    return load_checkpoint(row["path"], TEMPLATES[row["role"]], "cpu")


def lake_of(root):
    return DeltaRsLake(LakeConfig(root=str(root)))


def latest(root):
    return DeltaTable(str(root / "checkpoints")).version()


def test_both_models_are_committed_with_their_origin(finished_lake):
    root, done = finished_lake
    assert done.stdout == ""
    assert "checkpoints version 0" in done.stderr
    rows = committed(root)
    assert set(rows) == {role.name for role in ROLES}
    for role, row in rows.items():
        loaded = load(row)
        assert loaded.digest == row["model_digest"]
        assert Path(row["path"]).name == f"{role}-{row['model_digest'][:12]}"
        fields = json.loads(row["manifest"])
        assert fields == loaded.manifest
        assert fields["inputs"] == {"items": 0, "sft_discriminator": 0, "sft_generator": 0}
        assert (row["export_version"], row["base_model"], fields["layout"]) == (
            0,
            "compact",
            "sequence",
        )
        curve = [
            json.loads(line)
            for line in (Path(row["path"]) / "training.jsonl").read_text().splitlines()
        ]
        assert [point["epoch"] for point in curve] == list(range(1, len(curve) + 1))
        assert curve[-1]["loss"] == fields["final_loss"] < curve[0]["loss"]
        assert (loaded.calibration is not None) == (role == "discriminator")
        reliability = Path(row["path"]) / "reliability.json"
        assert reliability.is_file() == (role == "discriminator")
        if reliability.is_file():
            measured = Reliability.from_json(reliability.read_text())
            assert measured.count == 5 * fields["calibration_users"]  # generate.per_user
            assert measured.ece == fields["expected_calibration_error"] < 0.2
    assert list((root / "checkpoints_files" / "_partial").iterdir()) == []


def test_the_commit_is_one_that_spark_and_audit_understand(finished_lake):
    root, _ = finished_lake
    table = DeltaTable(str(root / "checkpoints"))
    assert [(field.name, field.nullable) for field in table.schema().fields] == [
        (name, False) for name in COLUMNS
    ]
    assert table.metadata().configuration["delta.logRetentionDuration"] == "interval 90 days"
    record = RunRecord.from_json(table.history(1)[0]["userMetadata"])
    assert (record.stage, record.table, record.reads["items"]) == ("sft", "checkpoints", 0)
    assert record.attributes["generator_digest"] == committed(root)["generator"]["model_digest"]


def test_the_generator_learned_what_the_users_like(finished_lake):
    root, _ = finished_lake
    generator = load(committed(root)["generator"])
    histories = [[Item(f"i{kind:02d}", ""), Item(f"i{kind + 5:02d}", "")] for kind in range(5)]
    found = propose(
        generator, histories, [[item.item_id for item in history] for history in histories], 2, 4096
    )
    right = sum(
        int(proposal.item_id[1:]) % 5 == kind
        for kind, proposals in enumerate(found)
        for proposal in proposals
    )
    assert right >= 7  # of 10; by chance 2


def test_the_same_run_again_trains_nothing_and_without_its_commit_gives_the_same_models(
    finished_lake, tiny, run_here, tmp_path
):
    root, _ = finished_lake
    copy = tmp_path / "lake"
    shutil.copytree(root, copy)
    record = RunRecord.from_json(
        DeltaTable(str(copy / "checkpoints")).history(1)[0]["userMetadata"]
    )
    fingerprint = record.scopes["branch=base"].fingerprint
    config = tiny.write_config(copy)
    # The table names the folders of the lake that was copied.
    assert run_here(config, fingerprint) == (
        0,
        ["checkpoints version 0 already holds the result of this run"],
    )
    shutil.rmtree(copy / "checkpoints")
    version, notes = run_here(config, fingerprint)
    assert "expected calibration error is" in notes[-1]
    assert version == latest(copy) == 0
    names = sorted(path.name for path in (copy / "checkpoints_files").iterdir())
    assert names == sorted(path.name for path in (root / "checkpoints_files").iterdir())


def test_of_more_examples_than_the_steps_take_some_are_drawn(tiny, run_here, tmp_path):
    root = tiny.write_lake(tmp_path)
    few = {"max_steps": 2, "batch_size": 8, "discriminator": {"batch_size": 8}}
    run_here(tiny.write_config(root, few))
    manifests = {role: load(row).manifest for role, row in committed(root).items()}
    run_here(tiny.write_config(root, {**few, "max_steps": 4}), "y")
    for role, row in committed(root).items():
        assert load(row).manifest["tokens"] == pytest.approx(2 * manifests[role]["tokens"], rel=0.3)


@pytest.mark.faults("F12", end="same")
def test_a_deleted_checkpoint_is_missed_and_made_again(tiny, run_here, tmp_path):
    root = tiny.write_lake(tmp_path)
    config = tiny.write_config(root, {"epochs": 2})
    lake, scope = lake_of(root), {"branch": "base"}
    run_here(config)
    assert lost_checkpoint(lake, 0, scope) is None
    folder = Path(committed(root)["generator"]["path"])
    (folder / "items.safetensors").write_bytes(b"cut")
    assert lost_checkpoint(lake, 0, scope) == f"files of the generator in {folder} are missing"
    shutil.rmtree(folder)
    assert lost_checkpoint(lake, 0, scope) == f"files of the generator in {folder} are missing"
    run_here(config)
    assert lost_checkpoint(lake, latest(root), scope) is None


@pytest.mark.faults("F18", end="same")
@pytest.mark.parametrize("in_parts", [False, True])
def test_two_ranks_train_like_one_with_two_accumulation_steps(tiny, run_here, tmp_path, in_parts):
    one, two = tiny.write_lake(tmp_path / "one"), tiny.write_lake(tmp_path / "two")
    # Dropout and negatives are drawn part by part.
    settings = {"epochs": 8, **({"dropout": 0.0, "sampled_negatives": 0} if in_parts else {})}
    run_here(tiny.write_config(one, settings))
    both = {**settings, "nproc_per_node": 2, "accumulation_steps": 1}
    both |= {"micro_batch_tokens": 16} if in_parts else {}
    done = tiny.run_job(tiny.write_config(two, both))
    assert done.returncode == 0, done.stderr + (two / "sft.log").read_text()
    for role, row in committed(one).items():
        alone, together = load(row), load(committed(two)[role])
        assert (alone.manifest["ranks"], together.manifest["ranks"]) == (1, 2)
        for name, tensor in alone.model.state_dict().items():
            torch.testing.assert_close(
                together.model.state_dict()[name], tensor, rtol=0, atol=2e-4, msg=f"{role} {name}"
            )


@pytest.mark.parametrize("layout", ["instruct", "dialogue", "sequence"])
def test_a_base_model_is_fine_tuned_in_each_layout(tiny, run_here, tmp_path, layout):
    root = tiny.write_lake(tmp_path / "lake", layout)
    texts = lake_of(root).read("items", 0, ["item_id", "text"]).column("text").to_pylist()
    tiny.base_model(tmp_path / "base", texts)
    config = tiny.write_config(
        root,
        {
            "base_model": str(tmp_path / "base"),
            "epochs": 3,
            "learning_rate": 1e-3,
            "max_length": 256,
        },
        export={"layout": layout},
    )
    run_here(config)
    rows = committed(root)
    generator = load(rows["generator"])
    reads_titles = layout != "sequence"
    assert generator.manifest["layout"] == ("instruct" if reads_titles else "sequence")
    assert len(generator.manifest["base_model_digest"]) == 64
    assert (generator.tokenizer is not None) == reads_titles
    assert generator.model.bos == 2  # as the base model's settings say
    reads_texts = None if reads_titles else str(tmp_path / "base")
    dims = load_config([config]).sft.text_dims
    np.testing.assert_allclose(
        generator.model.scaled_features / FEATURE_SCALE,
        embed_texts(texts, dims, reads_texts, seed=42),
        atol=1e-5,
    )
    curve = [
        json.loads(line)
        for line in (Path(rows["generator"]["path"]) / "training.jsonl").read_text().splitlines()
    ]
    assert curve[-1]["loss"] < curve[0]["loss"]
    found = propose(generator, [[Item("i00", texts[0])]], [["i00"]], 3, 4096)
    assert len(found[0]) == 3


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (["lake.root=s3://bucket/lake"], "mounted folder"),
        (["sft.epochz=3"], "did you mean sft.epochs"),
        (["lake.root=/nowhere/at/all"], "There is no table sft_generator"),
    ],
)
def test_mistakes_that_are_reported_before_any_model_is_loaded(
    settings, sentence, finished_lake, tiny
):
    root, _ = finished_lake
    done = tiny.run_job(
        root / "config.yaml", *(part for setting in settings for part in ("--set", setting))
    )
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_version_that_is_gone_is_named(tiny, run_here, tmp_path):
    config = tiny.write_config(tiny.write_lake(tmp_path))
    with pytest.raises(UserError, match="Version 7 of sft_generator cannot be read"):
        run_here(config, sft_generator=7)


def test_layout_and_base_model_must_go_together(finished_lake, tiny):
    root, _ = finished_lake
    done = tiny.run_job(root / "config.yaml", "--set", "export.layout=instruct")
    assert done.returncode == 2
    assert "export.layout=instruct needs sft.base_model" in done.stderr
