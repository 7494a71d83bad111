"""Checkpoints: complete or absent, and every changed byte is noticed."""

from __future__ import annotations

import hashlib
import json
import pickle
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.manifest import write_manifest
from llm_i2i_spark.lm import checkpoint as module
from llm_i2i_spark.lm.calibration import Calibration
from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint, load_checkpoint, save_checkpoint
from llm_i2i_spark.lm.decoding import propose
from llm_i2i_spark.prompts.templates import DISCRIMINATOR, GENERATOR, prompt_digest

pytestmark = pytest.mark.lm
CALIBRATION = Calibration(0.5, 0.25, -3.0)
FIELDS = {"role": "generator", "max_items": 20, "max_length": 1024}


def save(folder: Path, checkpoint: LoadedCheckpoint) -> str:
    texts = {"training.jsonl": '{"step": 1}\n'}
    return save_checkpoint(
        folder,
        checkpoint.model,
        checkpoint.vocabulary,
        checkpoint.tokenizer,
        FIELDS,
        CALIBRATION,
        texts,
    )


@pytest.fixture
def saved(tmp_path: Path, small: type) -> Path:
    save(tmp_path / "generator-1", small.checkpoint(kind="codes"))
    return tmp_path / "generator-1"


@pytest.mark.parametrize(
    ("kind", "family"), [("atomic", None), ("codes", None), ("atomic", "llama"), ("codes", "qwen2")]
)
def test_what_is_loaded_proposes_the_same(
    tmp_path: Path,
    small: type,
    base_model_folder: Callable[[str], Path],
    kind: str,
    family: str | None,
) -> None:
    made = small.checkpoint(kind=kind, base=base_model_folder(family) if family else None)
    digest = save(tmp_path / "c", made)
    loaded = load_checkpoint(tmp_path / "c", GENERATOR, "cpu")
    tokens = torch.tensor([[1, 2, made.model.vocabulary_size, made.model.vocabulary_size + 3]])
    with torch.no_grad():
        before, after = (c.model(tokens, torch.arange(4)[None])[0] for c in (made, loaded))
        assert torch.equal(before, after)
        assert torch.equal(made.model.item_logits(before), loaded.model.item_logits(after))
        assert torch.equal(made.model.label_logits(before), loaded.model.label_logits(after))
    assert (loaded.digest, loaded.manifest, loaded.calibration) == (digest, FIELDS, CALIBRATION)
    assert (loaded.tokenizer is None) == (family is None)
    histories = [small.items(5), small.items(2)]
    assert propose(loaded, histories, [(), ()], 4, 500) == propose(
        made, histories, [(), ()], 4, 500
    )


def test_bf16_weights_stay_bf16(tmp_path: Path, small: type) -> None:
    made = small.checkpoint()
    made.model.bfloat16()
    save(tmp_path / "c", made)
    loaded = load_checkpoint(tmp_path / "c", GENERATOR, "cpu")
    for name, value in made.model.state_dict().items():
        assert torch.equal(value, loaded.model.state_dict()[name]), name


def test_the_digest_names_the_contents_and_nothing_else(tmp_path: Path, small: type) -> None:
    first, second = (
        save(tmp_path / "a", small.checkpoint()),
        save(tmp_path / "b", small.checkpoint()),
    )
    assert first == second
    assert save(tmp_path / "c", small.checkpoint(seed=4)) != first
    assert (
        save(tmp_path / "a", small.checkpoint(seed=4))
        == load_checkpoint(tmp_path / "a", GENERATOR).digest
    )  # replaced


def test_a_flipped_bit_in_any_file_is_refused(saved: Path) -> None:
    numbers = random.Random(1)
    files = sorted(path for path in saved.rglob("*") if path.is_file())
    assert len(files) >= 7
    for path in files:
        original = path.read_bytes()
        for _ in range(3):
            damaged = bytearray(original)
            damaged[numbers.randrange(len(damaged))] ^= 1 << numbers.randrange(8)
            path.write_bytes(damaged)
            if path.name == "manifest.json" and _same_manifest(original, bytes(damaged)):
                continue  # a flip between two kinds of white space changes no meaning
            with pytest.raises(UserError, match="run sft again"):
                load_checkpoint(saved, GENERATOR, "cpu")
        path.write_bytes(original)
    load_checkpoint(saved, GENERATOR, "cpu")


def test_the_manifest_cannot_be_changed_under_its_digest(saved: Path) -> None:
    manifest = json.loads((saved / "manifest.json").read_text())
    digest = manifest["model_digest"]
    for name, value in {"max_items": 5, "loss": 0.0, "role": "discriminator"}.items():
        changed = {**manifest, "fields": {**manifest["fields"], name: value}}
        (saved / "manifest.json").write_text(json.dumps(changed))
        with pytest.raises(UserError, match=r"manifest .* was changed after it was written"):
            load_checkpoint(saved, GENERATOR, "cpu")
    # Written anew as a whole, it is another model.
    (saved / "manifest.json").unlink()
    assert write_manifest(saved, {**FIELDS, "max_items": 5}, module.IDENTITY_FIELDS) != digest
    (saved / "manifest.json").unlink()
    assert write_manifest(saved, {**FIELDS, "seconds": 5}, module.IDENTITY_FIELDS) == digest


def test_a_manifest_of_the_first_format_is_read(saved: Path) -> None:
    manifest = json.loads((saved / "manifest.json").read_text())
    text = "".join(f"{name}\0{one['sha256']}\n" for name, one in sorted(manifest["files"].items()))
    digest = hashlib.sha256(text.encode()).hexdigest()
    old = {"model_digest": digest, "fields": manifest["fields"], "files": manifest["files"]}
    (saved / "manifest.json").write_text(json.dumps(old))
    assert load_checkpoint(saved, GENERATOR, "cpu").digest == digest


def _same_manifest(one: bytes, other: bytes) -> bool:
    try:
        return json.loads(one) == json.loads(other)
    except ValueError:
        return False


@pytest.mark.parametrize(
    "name",
    [
        "manifest.json",
        "items.safetensors",
        "backbone/model.safetensors",
        "vocabulary.json",
        "calibration.json",
    ],
)
@pytest.mark.faults("F21", end="error")
def test_a_missing_file_is_refused(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(UserError, match="run sft again"):
        load_checkpoint(saved, GENERATOR, "cpu")


def test_files_that_are_not_in_the_manifest_are_refused(saved: Path, tmp_path: Path) -> None:
    (saved / "backbone" / "extra.json").write_text("{}")
    with pytest.raises(UserError, match="not in the manifest"):
        load_checkpoint(saved, GENERATOR, "cpu")
    with pytest.raises(UserError, match="manifest is missing"):
        load_checkpoint(tmp_path / "nowhere", GENERATOR, "cpu")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "optimizer.pt", "innocent.safetensors"])
def test_pickles_are_refused_by_name_and_by_content_before_anything_is_loaded(
    saved: Path, tmp_path: Path, name: str
) -> None:
    canary = tmp_path / "canary"

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (canary,)  # type: ignore[return-value]

    (saved / name).write_bytes(pickle.dumps(Evil()))
    with pytest.raises(UserError, match="pickle"):
        load_checkpoint(saved, GENERATOR, "cpu")
    assert not canary.exists()


def test_code_in_a_checkpoint_is_refused_even_with_a_fitting_manifest(saved: Path) -> None:
    (saved / "backbone" / "modeling.py").write_text("raise SystemExit")
    module.write_manifest(saved, FIELDS)
    with pytest.raises(UserError, match="brings code"):
        load_checkpoint(saved, GENERATOR, "cpu")


@pytest.mark.parametrize("step", ["_write_files", "write_manifest"])
def test_a_failed_save_leaves_nothing_and_keeps_the_old(
    saved: Path, small: type, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = load_checkpoint(saved, GENERATOR, "cpu").digest
    real = getattr(module, step)

    def fail_late(*arguments: object) -> None:
        real(*arguments)
        raise OSError("No space left on device")

    monkeypatch.setattr(module, step, fail_late)
    for folder in (saved, saved.with_name("new")):
        with pytest.raises(OSError, match="No space"):
            save(folder, small.checkpoint())
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
    assert load_checkpoint(saved, GENERATOR, "cpu").digest == before


@pytest.mark.faults("F21", end="error")
def test_a_model_is_not_asked_with_other_prompts_than_it_was_trained_with(
    tmp_path: Path, small: type, base_model_folder: Callable[[str], Path]
) -> None:
    made = small.checkpoint(base=base_model_folder("llama"))
    fields = {**FIELDS, "prompt_digest": prompt_digest("instruct", GENERATOR)}
    save_checkpoint(tmp_path / "c", made.model, made.vocabulary, made.tokenizer, fields)
    assert load_checkpoint(tmp_path / "c", GENERATOR, "cpu").template is GENERATOR
    with pytest.raises(UserError, match="other prompts"):
        load_checkpoint(tmp_path / "c", DISCRIMINATOR, "cpu")


def test_a_checkpoint_says_how_it_reads(tmp_path: Path, small: type) -> None:
    made = small.checkpoint()
    with pytest.raises(ValueError, match="max_items, max_length"):
        save_checkpoint(tmp_path / "c", made.model, made.vocabulary, None, {"role": "generator"})
