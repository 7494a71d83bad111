"""Models before fine-tuning: a compact Llama with random weights, or a pretrained causal language
model, both extended by item tokens.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaModel, PreTrainedTokenizerBase

from llm_i2i_spark.base.sections.sft import SftConfig
from llm_i2i_spark.lm.attention import attention_implementation
from llm_i2i_spark.lm.device import choose_device
from llm_i2i_spark.lm.dropout import dropout
from llm_i2i_spark.lm.model import BOS, ItemLanguageModel
from llm_i2i_spark.lm.model_folder import (
    check_model_folder,
    require_all_weights,
    require_whole_attention,
    without_progress_bars,
)

COMPACT_VOCABULARY = 2
"""Tokens of the compact model beside the item tokens: PAD and BOS."""


def build_model(
    config: SftConfig,
    n_item_tokens: int,
    token_features: NDArray[np.float32],
    tokenizer: PreTrainedTokenizerBase | None,
    seed: int,
) -> ItemLanguageModel:
    """The model to fine-tune: the compact Llama from scratch, or the causal language model in
    `sft.base_model` with item tokens added.

    Args:
        config: the settings of fine-tuning.
        n_item_tokens: T, number of item tokens of the vocabulary.
        token_features: [T, F] of `ItemVocabulary.token_features`.
        tokenizer: of the base model, to be asked in words; None in layout `sequence`.
        seed: of all weights that start at random.

    Raises:
        InputDataError: the base model's folder contains code, or lacks weights of the model, or its
            layers do not see a whole row.
    """
    if len(token_features) != n_item_tokens:
        raise ValueError(
            f"{n_item_tokens} item tokens need as many feature rows, got {len(token_features)}"
        )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if config.base_model is None:
            return ItemLanguageModel(_compact_backbone(config), token_features, config.dropout)
        return _pretrained_model(config, Path(config.base_model), token_features, tokenizer)


def _compact_backbone(config: SftConfig) -> LlamaModel:
    shape = LlamaConfig(
        vocab_size=COMPACT_VOCABULARY,
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.heads,
        pad_token_id=None,
        bos_token_id=BOS,
        eos_token_id=None,
        use_cache=False,
    )
    shape._attn_implementation = attention_implementation(
        config.attention, choose_device("auto"), _precision(config)
    )
    backbone = LlamaModel(shape)
    for name, branch in backbone.named_modules():
        if name.endswith((".o_proj", ".mlp")):
            branch.register_forward_hook(_ResidualDropout(config.dropout))
    return backbone


class _ResidualDropout:
    """Forward hook that applies dropout to a branch's output while training; Llama has no residual
    dropout of its own.
    """

    def __init__(self, probability: float) -> None:
        self._probability = probability

    def __call__(self, module: nn.Module, _: object, output: Tensor) -> Tensor:
        return dropout(output, self._probability, module.training)


def _pretrained_model(
    config: SftConfig,
    folder: Path,
    token_features: NDArray[np.float32],
    tokenizer: PreTrainedTokenizerBase | None,
) -> ItemLanguageModel:
    check_model_folder(folder)
    precision = _precision(config)
    with without_progress_bars():
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=True,
            dtype=precision,
            attn_implementation=attention_implementation(
                config.attention, choose_device("auto"), precision
            ),
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    causal, loading = loaded
    require_all_weights(folder, loading)
    require_whole_attention(causal.base_model.config, config.max_length)
    std = float(causal.get_input_embeddings().weight.detach().float().std())
    model = ItemLanguageModel(causal.base_model, token_features, embedding_std=std)
    if tokenizer is not None:
        for unused in (model.label_head.marks, model.label_head.scale):
            unused.requires_grad_(False)  # it is asked in words
        _start_from_words(model.label_head.linear, causal.get_output_embeddings(), tokenizer)
    return model.to(precision)


def _precision(config: SftConfig) -> torch.dtype:
    half = config.precision == "bf16" or (
        config.precision == "auto" and config.base_model is not None and torch.cuda.is_available()
    )
    return torch.bfloat16 if half else torch.float32


def _start_from_words(
    labels: nn.Linear, lm_head: nn.Linear, tokenizer: PreTrainedTokenizerBase
) -> None:
    """Initialise the labels with the base model's own rows of No and Yes, so that training starts
    from what the words mean.
    """
    with torch.no_grad():
        for label, word in enumerate(("No", "Yes")):
            token = tokenizer.encode(word, add_special_tokens=False)[0]
            labels.weight[label] = lm_head.weight[token].float()
            if lm_head.bias is not None:
                labels.bias[label] = lm_head.bias[token].float()
