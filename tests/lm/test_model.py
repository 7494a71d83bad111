"""The model: packed rows stay apart, trees equal separate readings, and only what a batch names is
embedded.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerFast

from llm_i2i_spark.base.errors import MissingDependencyError, UserError
from llm_i2i_spark.lm.attention import attention_implementation
from llm_i2i_spark.lm.device import choose_device
from llm_i2i_spark.lm.encoding import ScoringRequest
from llm_i2i_spark.lm.model import ItemLanguageModel
from llm_i2i_spark.lm.new_model import build_model
from llm_i2i_spark.lm.packing import Example, PackedExamples
from llm_i2i_spark.lm.trees import Suffix, tree_batch
from llm_i2i_spark.prompts.templates import DISCRIMINATOR

pytestmark = pytest.mark.lm


def _example(tokens: list[int]) -> Example:
    return Example(np.array(tokens), np.full(len(tokens), -100), np.zeros(len(tokens), np.float32))


def _hidden(model: ItemLanguageModel, tokens: list[int]) -> torch.Tensor:
    return model(torch.tensor([tokens]), torch.arange(len(tokens))[None])[0]


def _compact(small: type, attention: str = "sdpa") -> ItemLanguageModel:
    config = small.CONFIG.model_copy(update={"attention": attention})
    return build_model(config, 20, small.features(20), None, seed=1).eval()


EXAMPLES = [[1, 5, 6, 7], [1, 8, 9], [1, 5, 10, 11, 12, 13], [1, 4]]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@torch.no_grad()
def test_packed_examples_equal_separate_ones_only_with_restarting_positions(
    small: type, attention: str
) -> None:
    model = _compact(small, attention)
    packed = PackedExamples(map(_example, EXAMPLES))
    batch = packed.batch([[0, 1], [2, 3]])
    apart = torch.cat([_hidden(model, tokens) for tokens in EXAMPLES])
    read = torch.tensor([[True] * 7 + [False], [True] * 8])
    torch.testing.assert_close(
        model(batch.tokens, batch.position_ids)[read], apart, atol=1e-5, rtol=0
    )
    running = torch.arange(8).expand(2, 8)
    assert (model(batch.tokens, running)[read] - apart).abs().max() > 1e-2


@pytest.mark.parametrize("family", ["compact", "llama", "qwen2"])
@torch.no_grad()
def test_a_tree_equals_reading_each_suffix_by_itself(
    small: type, family: str, base_model_folder: Callable[[str], Path]
) -> None:
    base = None if family == "compact" else base_model_folder(family)
    model = small.checkpoint(base=base).model
    prefixes = [np.array([1, 5, 6, 7, 8]), np.array([1, 9])]
    suffixes = [
        [
            Suffix(5, np.array([10, 2])),
            Suffix(2, np.array([11, 4, 2])),
            Suffix(1, np.array([12])),
        ],
        [Suffix(2, np.array([13, 2]))],
    ]
    batch = tree_batch(prefixes, suffixes)
    together = model(batch.tokens, batch.position_ids, batch.mask)[batch.rows, batch.columns]
    apart = [
        _hidden(model, [*prefix[: suffix.visible].tolist(), *suffix.tokens.tolist()])[-1]
        for prefix, of_row in zip(prefixes, suffixes, strict=True)
        for suffix in of_row
    ]
    torch.testing.assert_close(together, torch.stack(apart), atol=1e-5, rtol=0)


def test_only_the_items_of_the_batch_are_embedded(small: type) -> None:
    model = _compact(small)
    hidden = model(torch.tensor([[1, 5, 9]]), torch.arange(3)[None])
    model.item_logits(hidden[0], torch.tensor([0, 4])).sum().backward()
    touched = model.item_embedding.weight.grad.abs().sum(1).nonzero().flatten().tolist()
    assert [token + model.vocabulary_size for token in touched] == [2, 5, 6, 9]


@torch.no_grad()
def test_logits_are_inner_products_with_input_embeddings(small: type) -> None:
    model = _compact(small)
    hidden = torch.randn(3, 32)
    every = model.item_logits(hidden)
    named = torch.tensor([7, 2, 7])
    torch.testing.assert_close(model.item_logits(hidden, named), every[:, named])
    torch.testing.assert_close(
        every[:, 7], hidden @ model.embed(torch.tensor([model.vocabulary_size + 7]))[0]
    )
    assert model.item_logits(hidden.bfloat16()).dtype == torch.float32
    assert model.label_logits(hidden).shape == (3, 2)


def test_dropout_acts_in_training_alone_and_in_every_branch(small: type) -> None:
    model = _compact(small)
    tokens, positions = torch.tensor([[1, 5, 6]]), torch.arange(3)[None]
    torch.testing.assert_close(model(tokens, positions), model(tokens, positions), atol=0, rtol=0)
    model.train()
    assert not torch.equal(model(tokens, positions), model(tokens, positions))
    model.dropout.p = 0.0
    assert not torch.equal(model(tokens, positions), model(tokens, positions))


def test_the_same_seed_builds_the_same_model_and_leaves_the_callers_randomness_alone(
    small: type,
) -> None:
    torch.manual_seed(9)
    before = torch.random.get_rng_state()
    first, second = _compact(small), _compact(small)
    assert torch.equal(before, torch.random.get_rng_state())
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


def test_a_base_models_labels_begin_as_its_own_words(
    small: type, base_model_folder: Callable[[str], Path], tiny_tokenizer: PreTrainedTokenizerFast
) -> None:
    config = small.CONFIG.model_copy(update={"base_model": str(base_model_folder("llama"))})
    model = build_model(config, 20, small.features(20), tiny_tokenizer, seed=1)
    from transformers import AutoModelForCausalLM

    causal = AutoModelForCausalLM.from_pretrained(base_model_folder("llama"), dtype=torch.float32)
    words = [tiny_tokenizer.encode(word)[0] for word in ("No", "Yes")]
    assert words[0] != words[1]
    tokens = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        expected = causal(tokens).logits[0][:, words]
        found = model.label_logits(model(tokens, torch.arange(3)[None])[0])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def _folder(path: Path, files: dict[str, str]) -> Path:
    path.mkdir()
    for name, text in {
        "config.json": '{"model_type": "llama"}',
        "model.safetensors": "x",
        **files,
    }.items():
        (path / name).write_text(text)
    return path


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"modeling_evil.py": "import os"}, "brings code"),
        ({"config.json": json.dumps({"auto_map": {"AutoModel": "evil.Evil"}})}, "auto_map"),
        (
            {
                "tokenizer_config.json": json.dumps(
                    {"auto_map": {"AutoTokenizer": ["evil.Evil", None]}}
                )
            },
            "auto_map",
        ),
        (
            {
                "model.safetensors.index.json": json.dumps(
                    {"weight_map": {"a": "../../secret.safetensors"}}
                )
            },
            "outside",
        ),
        ({"config.json": "{"}, "not valid JSON"),
    ],
)
def test_a_base_model_folder_with_code_is_refused(
    tmp_path: Path,
    small: type,
    tiny_tokenizer: PreTrainedTokenizerFast,
    files: dict[str, str],
    reason: str,
) -> None:
    folder = _folder(tmp_path / "base", files)
    config = small.CONFIG.model_copy(update={"base_model": str(folder)})
    with pytest.raises(UserError, match=reason):
        build_model(config, 3, small.features(3), tiny_tokenizer, seed=1)


def test_pickled_weights_and_missing_folders_are_refused(
    tmp_path: Path, small: type, tiny_tokenizer: PreTrainedTokenizerFast
) -> None:
    folder = _folder(tmp_path / "base", {"pytorch_model.bin": "x"})
    (folder / "model.safetensors").unlink()
    for path, reason in ((folder, "safetensors"), (tmp_path / "nowhere", r"config\.json")):
        config = small.CONFIG.model_copy(update={"base_model": str(path)})
        with pytest.raises(UserError, match=reason):
            build_model(config, 3, small.features(3), tiny_tokenizer, seed=1)


def test_attention_is_chosen_by_device_and_precision() -> None:
    cpu = torch.device("cpu")
    assert attention_implementation("auto", cpu, torch.float32) == "sdpa"
    assert attention_implementation("eager", cpu, torch.float32) == "eager"
    with pytest.raises(MissingDependencyError, match=r"sft\.attention=auto"):
        attention_implementation("flash_attention_2", cpu, torch.bfloat16)
    if not torch.cuda.is_available():
        assert choose_device("auto") == cpu
        with pytest.raises(MissingDependencyError):
            choose_device("cuda")


@torch.no_grad()
def test_requests_share_their_history_in_both_layouts(
    small: type, base_model_folder: Callable[[str], Path]
) -> None:
    items = small.items(12)
    for base in (None, base_model_folder("qwen2")):
        encoder = small.checkpoint(template=DISCRIMINATOR, base=base).encoder
        trees = encoder.trees(
            items[:5],
            [ScoringRequest(5, items[7]), ScoringRequest(2, items[8]), ScoringRequest(0, items[7])],
        )
        assert len(trees) == 1
        (alone,) = encoder.trees(items[:2], [ScoringRequest(2, items[8])])
        suffix = trees[0].suffixes[1]
        assert np.array_equal(trees[0].prefix[: suffix.visible], alone.prefix)
        assert np.array_equal(suffix.tokens, alone.suffixes[0].tokens)
