"""Small models and catalogues: a compact one, and Hugging Face directories made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from llm_i2i_spark.base.sections.sft import SftConfig
from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.device import choose_device
from llm_i2i_spark.lm.new_model import build_model
from llm_i2i_spark.lm.vocabulary import ItemVocabulary
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.prompts.templates import DISCRIMINATOR, GENERATOR, Template

SMALL = SftConfig(hidden_size=32, heads=2, layers=2, intermediate_size=48, precision="fp32")
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WORDS = (
    "You judge whether a customer of an online shop will buy item Yes No red green soap brush"
    " bought oldest first next Answer"
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)  # models this small only wait for a second one


class Small:
    """Small things of every kind, the same on every call."""

    CONFIG = SMALL

    @staticmethod
    def items(n: int) -> list[Item]:
        colours, kinds = ["red", "green", "blue"], ["soap", "brush", "cream", "comb"]
        return [Item(f"i{k:04d}", f"{colours[k % 3]} {kinds[k % 4]} {k}") for k in range(n)]

    @staticmethod
    def features(n: int, dims: int = 6, seed: int = 0) -> np.ndarray:
        rows = np.random.default_rng(seed).normal(size=(n, dims)).astype(np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    @staticmethod
    def vocabulary(n: int, kind: str) -> ItemVocabulary:
        ids = [item.item_id for item in Small.items(n)]
        return (
            ItemVocabulary.atomic(ids)
            if kind == "atomic"
            else ItemVocabulary.semantic(ids, Small.features(n), length=3, size=4, seed=1)
        )

    @staticmethod
    def checkpoint(
        n: int = 30,
        kind: str = "atomic",
        template: Template = GENERATOR,
        max_items: int = 20,
        max_length: int = 1024,
        base: Path | None = None,
        layout: str = "instruct",
        seed: int = 3,
    ) -> LoadedCheckpoint:
        """A checkpoint with random weights, as training would hand it on; without a base model of
        layout `sequence` in any case.
        """
        words = Small.vocabulary(n, kind)
        tokenizer = (
            PreTrainedTokenizerFast.from_pretrained(base) if base and layout == "instruct" else None
        )
        config = SMALL.model_copy(update={"base_model": str(base) if base else None})
        model = build_model(
            config, words.n_tokens, words.token_features(Small.features(n)), tokenizer, seed
        ).eval()
        random = torch.Generator().manual_seed(seed)
        with torch.no_grad():  # clear preferences, so that no test leans on rounding
            model.item_embedding.weight.mul_(30)
            for weights in (model.label_head.linear.weight, model.label_head.marks):
                weights += 0.6 * torch.randn(weights.shape, generator=random)
        role = "discriminator" if template is DISCRIMINATOR else "generator"
        manifest = {"role": role, "max_items": max_items, "max_length": max_length}
        return LoadedCheckpoint(
            model, words, tokenizer, None, manifest, choose_device("cpu"), "0" * 64, template
        )


@pytest.fixture(scope="session")
def small() -> type[Small]:
    """The makers of small things."""
    return Small


@pytest.fixture(scope="session")
def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE with chat markers and a chat template."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    raw.train_from_iterator([WORDS] * 20, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"],
    )
    tokenizer.chat_template = CHAT
    return tokenizer


@pytest.fixture(scope="session")
def base_model_folder(
    tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: PreTrainedTokenizerFast
) -> Callable[[str], Path]:
    """Writes a tiny random Llama or Qwen2 with its tokenizer, as downloaded models are laid out."""
    made: dict[str, Path] = {}

    def make(family: str) -> Path:
        if family not in made:
            folder = tmp_path_factory.mktemp(family)
            shape = {
                "vocab_size": len(tiny_tokenizer),
                "hidden_size": 32,
                "intermediate_size": 48,
                "num_hidden_layers": 2,
            }
            shape |= {
                "num_attention_heads": 4,
                "num_key_value_heads": 2,
                "pad_token_id": 0,
                "bos_token_id": None,
                "eos_token_id": 2,
            }
            torch.manual_seed(5)
            if family == "llama":
                model = LlamaForCausalLM(LlamaConfig(**shape))
            else:
                model = Qwen2ForCausalLM(Qwen2Config(**shape, tie_word_embeddings=True))
            model.save_pretrained(folder)
            tiny_tokenizer.save_pretrained(folder)
            made[family] = folder
        return made[family]

    return make
