"""What a training needs of its device's memory, known before it starts.

Weights, gradients and optimizer states are counted from the model itself; what is kept for the
backward pass follows from the shapes of a Llama-like block, as PyTorch saves it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.lm.attention import FLASH
from llm_i2i_spark.lm.model import ItemLanguageModel
from llm_i2i_spark.lm.packing import ROW_TOKENS, pack_rows
from llm_i2i_spark.sft.engine import TrainingPlan, engine_settings

FP32 = 4
GB = 1e9
BUCKET = 500_000_000
"""Numbers that DeepSpeed reduces at a time, where its file does not say."""
SUGGESTED_RANK = 16


@dataclass(frozen=True)
class MicroBatch:
    """What passes through the model at once.

    Attributes:
        tokens: of all rows, padding included.
        row: tokens of a row.
        targets: hidden states that items are scored for.
        scored_items: for each of them.
    """

    tokens: int
    row: int
    targets: int
    scored_items: int


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes on one rank's device, at the most.

    Attributes:
        weights: of the whole model, text features included.
        gradients: of what is trained.
        optimizer: its states, and weights in fp32 where it has them apart.
        activations: what is kept for the backward pass, and buffers.
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def static(self) -> int:
        """What does not depend on the batch."""
        return self.weights + self.gradients + self.optimizer

    @property
    def total(self) -> int:
        """All of it."""
        return self.static + self.activations


def largest_micro_batch(
    lengths: NDArray[np.int64],
    targets: NDArray[np.int64],
    scored_items: int,
    micro_batches: Iterable[NDArray[np.int64]],
) -> MicroBatch:
    """The micro-batch with the most tokens, in packed rows.

    Args:
        lengths: [n] tokens of each example.
        targets: [n] hidden states of each that items are scored for.
        scored_items: for each target.
        micro_batches: numbers of examples.
    """
    largest = max(micro_batches, key=lambda chosen: int(lengths[chosen].sum()))
    row = max(ROW_TOKENS, int(lengths[largest].max()))
    rows = len(pack_rows(lengths[largest].tolist(), row))
    return MicroBatch(rows * row, row, int(targets[largest].sum()), scored_items)


def estimate_memory(
    model: ItemLanguageModel,
    batch: MicroBatch,
    settings: Mapping[str, Any] | None,
    world_size: int,
    recomputed: bool,
) -> MemoryEstimate:
    """What a training keeps on the device of each rank.

    Args:
        model: in the precision of its training, with adapters where it has them.
        batch: the largest micro-batch.
        settings: of DeepSpeed; None: torch alone.
        world_size: ranks.
        recomputed: whether activations are computed again in the backward pass.
    """
    size = _number_bytes(model, settings)
    numbers = sum(one.numel() for one in model.parameters() if one.requires_grad)
    gradients = size * numbers
    weights = size * sum(one.numel() for one in (*model.parameters(), *model.buffers()))
    activations = _activations(model, batch, size, recomputed)
    if settings is None:
        return MemoryEstimate(weights, gradients, 2 * FP32 * numbers, activations)
    zero = settings.get("zero_optimization", {})
    stage = int(zero.get("stage", 0))
    apart = stage > 0 or bool(settings.get("bf16", {}).get("enabled"))
    if stage == 0 and apart:
        gradients += FP32 * numbers  # summed up in fp32
    states = (3 if apart else 2) * FP32 * numbers
    bucket = (
        min(int(zero.get("reduce_bucket_size", BUCKET)), numbers) * gradients // max(numbers, 1)
    )
    buckets = (bucket * (2 if zero.get("overlap_comm") else 1)) if stage > 0 else 0
    in_step = FP32 * math.ceil(numbers / world_size) if stage > 0 else 0
    if zero.get("offload_optimizer", {}).get("device", "none") != "none":
        states = gradients = in_step = 0
    return MemoryEstimate(
        weights,
        gradients // (world_size if stage > 1 else 1),
        states // (world_size if stage > 0 else 1),
        # When the optimizer makes its step, the activations are gone.
        max(activations + buckets, in_step),
    )


def _number_bytes(model: ItemLanguageModel, settings: Mapping[str, Any] | None) -> int:
    """Bytes of a number of a model while it is trained: DeepSpeed may halve its precision."""
    half = bool((settings or {}).get("bf16", {}).get("enabled"))
    return 2 if half else model.item_embedding.weight.element_size()


def _activations(model: ItemLanguageModel, batch: MicroBatch, size: int, recomputed: bool) -> int:
    """Bytes that are kept for the backward pass at its beginning, and one block's gradients."""
    config = model.backbone.config
    hidden = model.hidden_size
    inner = int(getattr(config, "intermediate_size", None) or 4 * hidden)
    rank = sum(one.shape[0] for name, one in model.named_parameters() if ".lora_A." in name) / max(
        1, config.num_hidden_layers
    )
    # Two norms in fp32, their results, queries, keys, values, what attention gives, three of the
    # feed-forward network and the product of two; adapters' inputs are among them.
    block = 2 * FP32 * hidden + size * (8 * hidden + 4 * inner + rank)
    if config._attn_implementation == "eager":
        block += config.num_attention_heads * batch.row * (FP32 + 2 * size)
    kept = size * hidden if recomputed else block
    features = model.scaled_features.shape[1]
    around = 2 * FP32 * hidden + size * (3 * hidden + features)
    mask = 0 if config._attn_implementation == FLASH else batch.row * (1 + size)
    of_tokens = batch.tokens * (config.num_hidden_layers * kept + block + around + mask)
    # Scores, their softmax and its gradient, in fp32; embeddings of the items and their gradients.
    scores = 3 * FP32 * batch.targets * batch.scored_items
    items = batch.scored_items * (2 * (FP32 + size) * hidden + size * features)
    return int(of_tokens + scores + items)


def fit_memory(
    model: ItemLanguageModel, batch: MicroBatch, plan: TrainingPlan, world_size: int, free: int
) -> bool:
    """Whether activations are to be computed again in the backward pass: as the plan says, or where
    the training needs it.

    Args:
        model: before its training.
        batch: the largest micro-batch.
        plan: of the training.
        world_size: ranks.
        free: bytes that each rank's device has for the training, the model included.

    Raises:
        ConfigError: it does not fit in either case; with the numbers, and what to set.
    """
    settings = engine_settings(plan, world_size)
    asked = plan.gradient_checkpointing
    for recomputed in (False, True) if asked is None else (asked,):
        estimate = estimate_memory(model, batch, settings, world_size, recomputed)
        if estimate.total <= free:
            return recomputed
    raise ConfigError(
        f"Fine-tuning the {plan.role} needs about {estimate.total / GB:.1f} GB of a GPU (weights"
        f" {estimate.weights / GB:.1f}, gradients {estimate.gradients / GB:.1f}, optimizer"
        f" {estimate.optimizer / GB:.1f}, {batch.tokens:,} tokens at once"
        f" {estimate.activations / GB:.1f}), and {free / GB:.1f} GB are free: set"
        f" {_advice(estimate, batch.tokens, free, plan)}."
    )


def free_memory(model: ItemLanguageModel, device: torch.device) -> int:
    """Bytes that a CUDA device has for the training of a model, of which some may be there already:
    what nobody has, what PyTorch keeps without using it, and the model itself.
    """
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    there = [one for one in (*model.parameters(), *model.buffers()) if one.device == device]
    return int(torch.cuda.mem_get_info(device)[0]) + unused + sum(one.nbytes for one in there)


def _advice(estimate: MemoryEstimate, tokens: int, free: int, plan: TrainingPlan) -> str:
    """What to set, so that a training fits."""
    ranks = "more GPUs in sft.nproc_per_node, which share the optimizer's states"
    held_back = plan.gradient_checkpointing is False
    room = free - estimate.static
    if room > 0:
        # With some room for parts that are longer than most.
        parts = 2 ** math.ceil(math.log2(estimate.activations / room))
        smaller = f"sft.micro_batch_tokens={max(tokens // parts, 1)}, or a smaller batch_size"
        return f"sft.gradient_checkpointing=true, {smaller}" if held_back else smaller
    if estimate.weights >= free:
        return "a smaller sft.base_model"
    if plan.adaptable:
        return f"sft.lora.rank={SUGGESTED_RANK}, or {ranks}"
    return f"{ranks}, or a smaller sft.base_model"
