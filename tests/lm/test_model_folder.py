"""Base models that are not whole, or name other files, are refused before anything runs."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.lm.model_folder import check_model_folder
from llm_i2i_spark.lm.new_model import build_model
from llm_i2i_spark.lm.text_features import embed_texts

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


@pytest.fixture
def folder(tmp_path: Path, base_model_folder: Callable[[str], Path]) -> Path:
    return Path(shutil.copytree(base_model_folder("llama"), tmp_path / "base"))


def _without(word: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS)
        kept = {name: value for name, value in tensors.items() if word not in name}
        assert len(kept) < len(tensors)
        save_file(kept, folder / WEIGHTS, {"format": "pt"})

    return damage


def _of_another_shape(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    tensors["model.norm.weight"] = torch.ones(7)
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})


@pytest.mark.lm
@pytest.mark.parametrize(
    ("damage", "lacking"),
    [
        (_without("layers.1."), r"9 weights of its own model, such as model\.layers\.1\."),
        (_without("down_proj"), r"2 weights of its own model, such as model\.layers\.0\.mlp\.down"),
        (_of_another_shape, r"1 weights of its own model, such as model\.norm\.weight"),
    ],
)
@pytest.mark.faults("F21", end="error")
def test_a_base_model_that_lacks_weights_is_refused(
    folder: Path,
    small: type,
    tiny_tokenizer: PreTrainedTokenizerFast,
    damage: Callable[[Path], None],
    lacking: str,
) -> None:
    damage(folder)
    config = small.CONFIG.model_copy(update={"base_model": str(folder)})
    with pytest.raises(InputDataError, match=f"{folder} lacks {lacking}"):
        build_model(config, 3, small.features(3), tiny_tokenizer, seed=1)


@pytest.mark.lm
def test_an_encoder_may_lack_its_pooler_and_nothing_else(
    tmp_path: Path, tiny_tokenizer: PreTrainedTokenizerFast
) -> None:
    shape = BertConfig(
        vocab_size=len(tiny_tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    BertModel(shape).save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    _without("pooler")(tmp_path)
    assert embed_texts(["red soap", "green brush"], 32, str(tmp_path), seed=0).shape == (2, 16)
    _without("layer.0.output")(tmp_path)
    with pytest.raises(InputDataError, match=r"such as encoder\.layer\.0\.output"):
        embed_texts(["red soap"], 32, str(tmp_path), seed=0)


class _Evil:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.canary),)


@pytest.mark.parametrize(
    "shard", ["evil.bin", "evil.pt", "evil", "../evil.safetensors", "..", "/tmp/e.safetensors", ""]
)
def test_an_index_of_weights_names_safetensors_of_the_folder_alone(
    folder: Path, tmp_path: Path, shard: str, small: type, tiny_tokenizer: PreTrainedTokenizerFast
) -> None:
    (folder / WEIGHTS).rename(folder / "other.safetensors")
    if shard.startswith("evil"):
        (folder / shard).write_bytes(pickle.dumps(_Evil(tmp_path / "canary")))
    (folder / INDEX).write_text(json.dumps({"weight_map": {"model.norm.weight": shard}}))
    config = small.CONFIG.model_copy(update={"base_model": str(folder)})
    with pytest.raises(InputDataError, match=r"names (a file outside|.*only safetensors)"):
        build_model(config, 3, small.features(3), tiny_tokenizer, seed=1)
    assert not (tmp_path / "canary").exists()


def _torn(folder: Path) -> None:
    os.truncate(folder / WEIGHTS, 5_000)


def _pickled(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(pickle.dumps(_Evil(folder / "canary")))


def _giant_header(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((1 << 60).to_bytes(8, "little") + b"{}")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_torn, "not a whole safetensors file"),
        (_pickled, "not a whole safetensors file"),
        (_giant_header, "not a whole safetensors file"),
        (lambda folder: (folder / INDEX).write_text("[]"), "has no weight_map"),
        (
            lambda folder: (folder / INDEX).write_text('{"weight_map": {"a": "b.safetensors"}}'),
            r"lacks the file b\.safetensors",
        ),
        (lambda folder: (folder / "adapter_config.json").write_text("{}"), "holds an adapter"),
    ],
)
def test_a_folder_that_is_torn_or_points_elsewhere_is_refused(
    folder: Path, damage: Callable[[Path], object], reason: str
) -> None:
    check_model_folder(folder)
    damage(folder)
    with pytest.raises(InputDataError, match=reason) as caught:
        check_model_folder(folder)
    assert "\n" not in str(caught.value)
    assert not (folder / "canary").exists()


def test_a_window_of_attention_shorter_than_a_row_is_refused(
    small: type, base_model_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(base_model_folder("qwen2"), tmp_path / "windowed")
    config = json.loads((folder / "config.json").read_text())
    layers = ["full_attention", "sliding_attention"]
    windowed = {"use_sliding_window": True, "sliding_window": 64, "layer_types": layers}
    (folder / "config.json").write_text(json.dumps({**config, **windowed}))
    for length, fits in ((64, True), (65, False)):
        given = {"base_model": str(folder), "max_length": length}
        build = partial(
            build_model, small.CONFIG.model_copy(update=given), 3, small.features(3), None, 0
        )
        if fits:
            assert build().backbone.config.sliding_window == 64
        else:
            with pytest.raises(InputDataError, match=r"the last 64 tokens.*sft\.max_length=64"):
                build()
