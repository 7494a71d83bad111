"""The item language model: a causal LM whose vocabulary is extended by item tokens.

An item token's embedding is an id part plus a linear projection of frozen text features, the same
for input and output, so that an item with few interactions is placed by its words. The rest is any
Llama-like backbone of `transformers`: a compact one trained from scratch, or a pretrained one.
Token ids: 0..V-1 the backbone's own, V..V+T-1 the item tokens. The same token read as the candidate
of a question, or as its query, is V+T or 2(V+T) higher.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaModel,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from llm_i2i_spark.base.sections.sft import SftConfig
from llm_i2i_spark.lm.attention import FLASH, attention_implementation, choose_device
from llm_i2i_spark.lm.model_folder import check_model_folder, without_progress_bars

PAD, BOS = 0, 1
COMPACT_VOCABULARY = 2
CANDIDATE, QUERY = 1, 2
FEATURE_SCALE = 16.0
COMPACT_EMBEDDING_STD = 0.16


class LabelHead(nn.Module):
    """What only a discriminator uses: two label rows, the marks of candidate and query, and how
    much the generator's opinion counts.

    Args:
        hidden_size: H.

    Attributes:
        linear: hidden state to (No, Yes); starts at zero, so that training starts from the
            generator's opinion alone.
        marks: [2, H] added to the embeddings of candidates and queries; start at zero.
        scale: of the inner product of hidden state and candidate embedding, which joins the Yes
            logit.
        centre: taken from that inner product first.
    """

    centre: Tensor

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden_size, 2)
        self.marks = nn.Parameter(torch.zeros(2, hidden_size))
        self.scale = nn.Parameter(
            torch.full((1,), 0.7)
        )  # DeepSpeed cannot send a parameter without a dimension
        self.register_buffer("centre", torch.tensor(0.0))
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)


class ItemLanguageModel(nn.Module):
    """A backbone, the item tokens and the two labels.

    Args:
        backbone: a decoder of `transformers` without its head, with its attention implementation
            set.
        token_features: [T, F] text features of the item tokens, rows of about unit length; frozen.
        dropout: after the embeddings while training.
        embedding_std: of the item embeddings at the start: text part about this, id part an eighth
            of it.
    """

    scaled_features: Tensor
    backbone: Any

    def __init__(
        self,
        backbone: PreTrainedModel,
        token_features: NDArray[np.float32],
        dropout: float = 0.0,
        embedding_std: float = COMPACT_EMBEDDING_STD,
    ) -> None:
        super().__init__()
        base: Any = backbone.get_input_embeddings()
        self.vocabulary_size, self.hidden_size = map(int, base.weight.shape)
        self.n_item_tokens = len(token_features)
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        # Large features make Adam's steps on the projection count: the text part leads early, the
        # id part refines.
        self.register_buffer(
            "scaled_features",
            torch.from_numpy(np.ascontiguousarray(token_features, np.float32)) * FEATURE_SCALE,
        )
        self.item_embedding = nn.Embedding(self.n_item_tokens, self.hidden_size)
        self.text_projection = nn.Linear(token_features.shape[1], self.hidden_size)
        self.label_head = LabelHead(self.hidden_size)
        nn.init.normal_(self.item_embedding.weight, std=embedding_std / 8)
        nn.init.normal_(self.text_projection.weight, std=embedding_std / FEATURE_SCALE)
        nn.init.zeros_(self.text_projection.bias)

    def forward(self, tokens: Tensor, position_ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Hidden states of every token, after the backbone's last norm.

        Args:
            tokens: [B, L] token ids.
            position_ids: [B, L]; without a mask, attention is causal and a restart keeps packed
                examples apart.
            mask: [B, 1, L, L], True where the token of the row sees the token of the column; for
                tree-shaped rows.

        Returns:
            [B, L, H] in the backbone's precision.
        """
        embeddings = self.dropout(self.embed(tokens))
        shape = embeddings.shape
        attention_mask = None
        if mask is not None:
            if self.backbone.config._attn_implementation == FLASH:
                self.backbone.set_attn_implementation(
                    "sdpa"
                )  # FlashAttention takes no mask of our own
            attention_mask = torch.zeros_like(mask, dtype=embeddings.dtype).masked_fill_(
                ~mask, torch.finfo(embeddings.dtype).min
            )
        elif self.backbone.config._attn_implementation == FLASH:
            embeddings, position_ids = (
                embeddings.reshape(1, -1, shape[-1]),
                position_ids.reshape(1, -1),
            )  # it tells packed rows only so
        # With a cache transformers 5 no longer looks for restarting positions, and packed examples
        # would see each other.
        output = self.backbone(
            inputs_embeds=embeddings,
            position_ids=position_ids,
            attention_mask=attention_mask,
            use_cache=False,
        )
        hidden: Tensor = output.last_hidden_state
        return hidden.reshape(shape)

    def embed(self, tokens: Tensor) -> Tensor:
        """[..., H] embeddings of token ids, computed once for each distinct token of the batch and
        for no other.
        """
        read_as, plain = (
            tokens // (self.vocabulary_size + self.n_item_tokens),
            tokens % (self.vocabulary_size + self.n_item_tokens),
        )
        distinct, place = torch.unique(plain, return_inverse=True)
        n_base = int((distinct < self.vocabulary_size).sum())
        base = self.backbone.get_input_embeddings()(distinct[:n_base])
        items = self.item_embeddings(distinct[n_base:] - self.vocabulary_size)
        embedded = functional.embedding(
            place, torch.cat([base, items.to(base.dtype)])
        )  # distinct is sorted: base tokens come first
        if bool((read_as > 0).any()):
            marks = self.label_head.marks.to(base.dtype)
            embedded = embedded + functional.embedding(
                read_as, torch.cat([torch.zeros_like(marks[:1]), marks])
            )
        return embedded

    def item_embeddings(self, item_tokens: Tensor | None = None) -> Tensor:
        """[M, H] embeddings of item tokens (numbers 0..T-1), of all T where none are named."""
        if item_tokens is None:
            every: Tensor = self.item_embedding.weight + self.text_projection(self.scaled_features)
            return every
        named: Tensor = self.item_embedding(item_tokens) + self.text_projection(
            self.scaled_features[item_tokens]
        )
        return named

    def item_logits(self, hidden: Tensor, item_tokens: Tensor | None = None) -> Tensor:
        """Scores of item tokens: the inner products of hidden states and item embeddings, in fp32.

        Args:
            hidden: [N, H].
            item_tokens: [M] numbers 0..T-1; None: all T.

        Returns:
            [N, M or T].
        """
        return _product(hidden, self.item_embeddings(item_tokens))

    def label_logits(self, hidden: Tensor, candidates: Tensor | None = None) -> Tensor:
        """Scores of (No, Yes), in fp32: a linear map of the hidden state, and on Yes
        scale·(<hidden, candidate> - centre).

        The query reads like the history's last item, so its state starts as the generator's for the
        next item, and the inner product as the generator's score of the candidate; training then
        teaches the state to look at the candidate.

        Args:
            hidden: [N, H] at the label positions.
            candidates: [N, length] item tokens of the items asked about; None: the linear map alone
                (layout `instruct`).

        Returns:
            [N, 2].
        """
        head = self.label_head
        logits = _product(hidden, head.linear.weight) + head.linear.bias.float()
        if candidates is None:
            return logits
        distinct, place = torch.unique(candidates, return_inverse=True)
        embeddings = functional.embedding(place, self.item_embeddings(distinct).float()).mean(1)
        opinion = head.scale.float() * ((hidden.float() * embeddings).sum(1) - head.centre.float())
        return logits + torch.stack([torch.zeros_like(opinion), opinion], dim=1)


def _product(hidden: Tensor, rows: Tensor) -> Tensor:
    """[N, M] inner products in fp32: bf16 would round a log-probability of -8 to steps of 0.03."""
    with torch.autocast(hidden.device.type, enabled=False):
        return hidden.float() @ rows.float().T


def build_model(
    config: SftConfig,
    n_item_tokens: int,
    token_features: NDArray[np.float32],
    tokenizer: PreTrainedTokenizerBase | None,
    seed: int,
) -> ItemLanguageModel:
    """The model to fine-tune: the compact Llama from scratch, or the causal LM in `sft.base_model`
    with item tokens added.

    Args:
        config: the settings of fine-tuning.
        n_item_tokens: T, the vocabulary's number of item tokens.
        token_features: [T, F] of `ItemVocabulary.token_features`.
        tokenizer: the base model's; None for the compact model.
        seed: of all weights that start at random.

    Raises:
        UserError: the base model's folder brings code, or no safetensors.
    """
    if len(token_features) != n_item_tokens:
        raise ValueError(
            f"{n_item_tokens} item tokens need as many feature rows, got {len(token_features)}"
        )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if config.base_model is None:
            return ItemLanguageModel(_compact_backbone(config), token_features, config.dropout)
        if tokenizer is None:
            raise ValueError("a base model needs its tokenizer")
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
    """A forward hook that drops out a branch's result while training; Llama has no residual dropout
    of its own.
    """

    def __init__(self, share: float) -> None:
        self._share = share

    def __call__(self, module: nn.Module, _: object, output: Tensor) -> Tensor:
        return functional.dropout(output, self._share, module.training)


def _pretrained_model(
    config: SftConfig,
    folder: Path,
    token_features: NDArray[np.float32],
    tokenizer: PreTrainedTokenizerBase,
) -> ItemLanguageModel:
    check_model_folder(folder)
    precision = _precision(config)
    with without_progress_bars():
        causal: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=True,
            dtype=precision,
            attn_implementation=attention_implementation(
                config.attention, choose_device("auto"), precision
            ),
        )
    std = float(causal.get_input_embeddings().weight.detach().float().std())
    model = ItemLanguageModel(causal.base_model, token_features, embedding_std=std)
    for unused in (model.label_head.marks, model.label_head.scale):
        unused.requires_grad_(False)  # a chat model is asked in words
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
    """Let the labels begin as the base model's own No and Yes, so that a judge starts from what the
    words mean.
    """
    with torch.no_grad():
        for label, word in enumerate(("No", "Yes")):
            token = tokenizer.encode(word, add_special_tokens=False)[0]
            labels.weight[label] = lm_head.weight[token].float()
            if lm_head.bias is not None:
                labels.bias[label] = lm_head.bias[token].float()
