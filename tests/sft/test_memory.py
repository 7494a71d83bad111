"""The estimate of a training's memory against the real bytes, and what is refused by it."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaModel

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.sections.sft import LoraAdapters, SftConfig
from llm_i2i_spark.lm.encoding import Encoder
from llm_i2i_spark.lm.lora import add_adapters
from llm_i2i_spark.lm.model import ItemLanguageModel
from llm_i2i_spark.lm.vocabulary import ItemVocabulary
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.sft.deepspeed_engine import DeepSpeedEngine
from llm_i2i_spark.sft.engine import TrainingPlan, engine_settings, open_engine, parameter_groups
from llm_i2i_spark.sft.examples import GeneratorRow
from llm_i2i_spark.sft.memory import (
    MicroBatch,
    estimate_memory,
    fit_memory,
    largest_micro_batch,
)
from llm_i2i_spark.sft.objectives.next_item import NextItemObjective
from llm_i2i_spark.sft.roles import GENERATOR

pytestmark = pytest.mark.lm
CPU, N_ITEMS, EXAMPLES = torch.device("cpu"), 40, 24
PLAIN = TrainingPlan.of_role(GENERATOR, SftConfig(base_model="folder"), seed=1, device=CPU)
SEVEN_B = LlamaConfig(vocab_size=32_000, hidden_size=4096, intermediate_size=11_008)
ONE_BATCH = MicroBatch(tokens=32_768, row=1024, targets=256, scored_items=512)


def make_model(rank=0, dtype=torch.float32, shape=None, device="cpu"):
    """A base model of six blocks, or of another shape, with item tokens, and adapters of a rank."""
    small = LlamaConfig(
        vocab_size=50,
        hidden_size=64,
        intermediate_size=160,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    features = np.random.default_rng(0).normal(size=(N_ITEMS, 8)).astype(np.float32)
    torch.manual_seed(0)
    with torch.device(device):
        backbone = LlamaModel(shape or small).to(dtype)
        model = ItemLanguageModel(backbone, features).to(dtype)
    model.label_head.requires_grad_(False)
    if rank:
        add_adapters(model, LoraAdapters(rank=rank), seed=1)
    return model


def make_objective(model, sampled=0):
    vocabulary = ItemVocabulary.atomic([f"i{n:02d}" for n in range(N_ITEMS)])
    rng = np.random.default_rng(5)
    rows = [
        GeneratorRow("u", [], [Item(f"i{n:02d}", "") for n in chosen], [1.0] * len(chosen))
        for chosen in (rng.permutation(N_ITEMS)[: rng.integers(10, 30)] for _ in range(EXAMPLES))
    ]
    encoder = Encoder(vocabulary, model.vocabulary_size, None, GENERATOR.template, 50, 64)
    return NextItemObjective(rows, encoder, np.ones(N_ITEMS, bool), sampled, CPU)


def whole_batch(objective):
    every = [np.arange(EXAMPLES)]
    return largest_micro_batch(objective.lengths, objective.targets, objective.scored_items, every)


def nbytes(tensors):
    return sum(tensor.nbytes for tensor in tensors)


@pytest.mark.parametrize("rank", [0, 4])
@pytest.mark.parametrize("deepspeed", [False, True])
def test_weights_gradients_and_optimizer_are_those_of_a_real_step(rank, deepspeed, one_rank):
    model = make_model(rank)
    objective, settings = make_objective(model), engine_settings(PLAIN, 1)
    engine = open_engine(model, PLAIN, one_rank)
    if deepspeed:
        adam = torch.optim.AdamW(parameter_groups(model, PLAIN), lr=1e-3, fused=True)
        engine = DeepSpeedEngine(model, adam, settings, one_rank)
    engine.train()
    loss = objective.loss(engine, range(EXAMPLES), torch.Generator()).loss
    engine.backward(loss)
    zero = engine.optimizer
    gradients = (
        [one for parts in zero.averaged_gradients.values() for one in parts]
        if deepspeed
        else [one.grad for one in model.parameters() if one.grad is not None]
    )
    found_gradients = nbytes(gradients)
    engine.step()
    adam = zero.optimizer if deepspeed else zero
    states = [one for state in adam.state.values() for one in state.values() if one.ndim]
    states += zero.single_partition_of_fp32_groups if deepspeed else []
    found = estimate_memory(
        model, whole_batch(objective), settings if deepspeed else None, 1, False
    )
    assert found.weights == nbytes([*model.parameters(), *model.buffers()])
    assert found.gradients == pytest.approx(found_gradients, rel=0.01)
    assert found.optimizer == pytest.approx(nbytes(states), rel=0.01)
    engine.destroy()


@pytest.mark.parametrize("rank", [0, 4])
@pytest.mark.parametrize("recomputed", [False, True])
def test_activations_are_at_least_what_autograd_keeps_and_not_much_more(rank, recomputed):
    # In bf16 the blocks are those of `transformers`, as on a GPU.
    model = make_model(rank, torch.bfloat16).train()
    if recomputed:
        model.backbone.gradient_checkpointing_enable({"use_reentrant": False})
    objective = make_objective(model, sampled=16)
    weights = {one.untyped_storage().data_ptr() for one in (*model.parameters(), *model.buffers())}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage
        return tensor

    engine = _Alone(model)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        objective.loss(engine, range(EXAMPLES), torch.Generator())
    measured = sum(storage.nbytes() for storage in kept.values())
    batch = whole_batch(objective)
    estimate = estimate_memory(model, batch, None, 1, recomputed).activations
    # Beside what is kept there is one block's own in the backward pass.
    assert measured < estimate < measured * (3.5 if recomputed else 1.5)


class _Alone:
    """A model without an optimizer, in the place of an engine."""

    def __init__(self, module):
        self.module = module

    def __call__(self, *inputs, **named):
        return self.module(*inputs, **named)


def test_activations_that_are_computed_again_give_the_same_gradients():
    def gradients(recomputed):
        model = make_model(dtype=torch.bfloat16).train()
        if recomputed:
            model.backbone.gradient_checkpointing_enable({"use_reentrant": False})
        make_objective(model).loss(
            _Alone(model), range(EXAMPLES), torch.Generator()
        ).loss.backward()
        return {name: one.grad for name, one in model.named_parameters() if one.grad is not None}

    kept, again = gradients(False), gradients(True)
    assert kept
    assert all(torch.equal(one, again[name]) for name, one in kept.items())


def test_ranks_share_what_their_stage_shares():
    model = make_model()

    def estimate(ranks, **zero):
        settings = {"zero_optimization": zero, "bf16": {"enabled": True}}
        return estimate_memory(model, ONE_BATCH, settings, ranks, False)

    numbers = sum(one.numel() for one in model.parameters() if one.requires_grad)
    alone, four = estimate(1, stage=2), estimate(4, stage=2)
    assert (alone.gradients, alone.optimizer) == (2 * numbers, 12 * numbers)
    assert (four.gradients, four.optimizer) == (2 * numbers // 4, 12 * numbers // 4)
    assert four.weights == alone.weights
    assert estimate(4, stage=1).gradients == 2 * numbers
    assert estimate(4, stage=0).optimizer == 12 * numbers
    elsewhere = estimate(1, stage=2, offload_optimizer={"device": "cpu"})
    assert (elsewhere.gradients, elsewhere.optimizer) == (0, 0)


def plan_of(**sft):
    config = SftConfig(base_model="folder", precision="bf16", batch_size=256, **sft)
    return TrainingPlan.of_role(GENERATOR, config, seed=1, device=CPU)


def test_seven_billion_weights_do_not_fit_one_gpu_and_their_adapters_do():
    whole = make_model(dtype=torch.bfloat16, shape=SEVEN_B, device="meta")
    with pytest.raises(ConfigError) as refused:
        fit_memory(whole, ONE_BATCH, plan_of(), 1, int(80e9))
    sentence = str(refused.value)
    assert "Fine-tuning the generator needs about 1" in sentence
    assert "weights 13.2, gradients 13.2, optimizer 79.3, 32,768 tokens at once" in sentence
    assert "80.0 GB are free: set sft.lora.rank=16, or more GPUs" in sentence

    adapted = make_model(16, torch.bfloat16, SEVEN_B, "meta")
    assert fit_memory(adapted, ONE_BATCH, plan_of(lora={"rank": 16}), 1, int(80e9)) is True
    with pytest.raises(ConfigError, match=r"set a smaller sft\.base_model\."):
        fit_memory(adapted, ONE_BATCH, plan_of(lora={"rank": 16}), 1, int(8e9))


def test_what_is_said_to_fit_fits():
    adapted = make_model(16, torch.bfloat16, SEVEN_B, "meta")
    batch = ONE_BATCH
    with pytest.raises(ConfigError) as refused:
        fit_memory(adapted, batch, plan_of(gradient_checkpointing=False), 1, int(24e9))
    assert "set sft.gradient_checkpointing=true, sft.micro_batch_tokens=" in str(refused.value)
    tokens = int(re.search(r"micro_batch_tokens=(\d+)", str(refused.value))[1])
    smaller = MicroBatch(tokens, batch.row, batch.targets * tokens // batch.tokens, 512)
    plan = plan_of(gradient_checkpointing=False, micro_batch_tokens=tokens)
    assert fit_memory(adapted, smaller, plan, 1, int(24e9)) is False


def test_the_micro_batch_with_the_most_tokens_is_measured_with_its_padding():
    lengths, targets = np.array([70, 30, 10, 40]), np.array([1, 2, 3, 4])
    chosen = [np.array([0, 2]), np.array([0, 1, 3]), np.array([3])]
    found = largest_micro_batch(lengths, targets, 9, chosen)
    assert found == MicroBatch(tokens=2 * 70, row=70, targets=7, scored_items=9)
