"""The engine of a training: its numbers, its optimizer, and who makes the steps: DeepSpeed, or in
one process on a CPU torch alone.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.sections.sft import SftConfig
from llm_i2i_spark.lm.model import ItemLanguageModel
from llm_i2i_spark.sft.deepspeed_engine import DeepSpeedEngine
from llm_i2i_spark.sft.distributed import Distributed
from llm_i2i_spark.sft.engine_state import EngineState
from llm_i2i_spark.sft.plain_engine import PlainEngine
from llm_i2i_spark.sft.roles.base import Role

DEFAULT_SETTINGS = Path(__file__).with_name("zero2.json")
BETAS = (0.9, 0.98)
FINAL_RATE_FACTOR = 0.02
"""Learning rate at the end of training, as a fraction of the highest one."""
SMALLEST_BATCH = 32
"""Examples a step, where a small log would otherwise have too few steps to learn from."""


@dataclass(frozen=True)
class TrainingPlan:
    """The numbers of one training.

    Attributes:
        role: name of the role.
        random_stream: of the role; separates its random numbers from those of other roles.
        epochs: passes over the examples.
        learning_rate: highest one of the schedule.
        batch_size: examples a step at most, over all ranks and accumulation steps.
        max_steps: of the optimizer at most, over all epochs; None: all.
        least_steps: of the optimizer, as long as `SMALLEST_BATCH` examples are left for each.
        accumulation: micro-batches of a rank before each step.
        micro_batch_tokens: that pass through the model at once, about; None: no limit.
        warmup_share: fraction of all steps in which the learning rate rises.
        weight_decay: of the weight matrices.
        precision: fp32 or bf16.
        deepspeed: path of a JSON file; None for the packaged one.
        checkpoint_every: epochs between training checkpoints.
        item_rate_factor: learning rate of the item embeddings, as a multiple of the others'.
        seed: of order, dropout and sampled negatives.
        gradient_checkpointing: whether activations are computed again in the backward pass; None:
            where they would not fit otherwise.
        adaptable: whether adapters could be trained in place of the model.
    """

    role: str
    random_stream: int
    epochs: int
    learning_rate: float
    batch_size: int
    max_steps: int | None
    least_steps: int
    accumulation: int
    micro_batch_tokens: int | None
    warmup_share: float
    weight_decay: float
    precision: str
    deepspeed: str | None
    checkpoint_every: int
    item_rate_factor: float
    seed: int
    gradient_checkpointing: bool | None
    adaptable: bool

    @classmethod
    def of_role(
        cls, role: Role, config: SftConfig, seed: int, device: torch.device
    ) -> TrainingPlan:
        """The numbers of a role's training."""
        numbers = role.hyperparameters(config)
        return cls(
            role=role.name,
            random_stream=role.random_stream,
            epochs=numbers.epochs,
            learning_rate=numbers.learning_rate,
            batch_size=numbers.batch_size,
            max_steps=config.max_steps,
            least_steps=numbers.least_steps,
            accumulation=config.accumulation_steps,
            micro_batch_tokens=config.micro_batch_tokens,
            warmup_share=config.warmup_share,
            weight_decay=config.weight_decay,
            precision=(
                ("bf16" if device.type == "cuda" else "fp32")
                if config.precision == "auto"
                else config.precision
            ),
            deepspeed=config.deepspeed,
            checkpoint_every=config.checkpoint_every,
            item_rate_factor=numbers.item_rate_factor,
            seed=seed,
            gradient_checkpointing=config.gradient_checkpointing,
            adaptable=config.base_model is not None and not config.lora.rank,
        )

    def steps_an_epoch(self, examples: int, slots: int) -> int:
        """Optimizer steps of one pass.

        Args:
            examples: how many there are.
            slots: ranks * accumulation steps, each of which wants an example a step.
        """
        least = min(self.least_steps, self.max_steps or self.least_steps)
        wanted = math.ceil(least / self.epochs)
        steps = max(math.ceil(examples / self.batch_size), min(wanted, examples // SMALLEST_BATCH))
        return min(steps, examples // slots)

    def steps_of_all_epochs(self, steps_an_epoch: int) -> int:
        """Optimizer steps of the whole training."""
        steps = self.epochs * steps_an_epoch
        return steps if self.max_steps is None else min(steps, self.max_steps)

    def learning_rate_at(self, step: int, steps: int) -> float:
        """Linear rise over the warm-up, then half a cosine down to a fiftieth.

        Args:
            step: 0 .. steps - 1.
            steps: of the whole training.
        """
        warmup = self.warmup_share * steps
        rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
        progress = max(0.0, step - warmup) / max(steps - warmup, 1.0)
        decay = FINAL_RATE_FACTOR + (1 - FINAL_RATE_FACTOR) * 0.5 * (
            1 + math.cos(math.pi * progress)
        )
        return self.learning_rate * rise * decay


class Engine(Protocol):
    """A model and its optimizer, in the hands of what makes the steps."""

    @property
    def module(self) -> ItemLanguageModel:
        """The model."""

    @property
    def optimizer(self) -> Any:
        """Whose learning rates the training loop sets."""

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """The model's forward pass."""

    def train(self) -> None:
        """Turn dropout on."""

    def backward(self, loss: Tensor, last: bool = True) -> None:
        """Add the gradients of a micro-batch, or of a part of it.

        Args:
            loss: of it.
            last: whether it is the last part.
        """

    def step(self) -> None:
        """After the last micro-batch of a step, change the weights."""

    def state(self) -> EngineState:
        """This rank's part of what a resumed training needs beside the weights."""

    def restore(self, state: EngineState) -> None:
        """Go on from a state that `state` gave."""

    def destroy(self) -> None:
        """Let go of what is held outside the model."""


def open_engine(model: ItemLanguageModel, plan: TrainingPlan, distributed: Distributed) -> Engine:
    """An engine around the model, with AdamW.

    One process on a CPU trains in fp32 without DeepSpeed, to the same bits and with less work;
    naming a file in `sft.deepspeed` asks for DeepSpeed.

    Raises:
        ConfigError: the JSON is not usable, or the batch cannot be split evenly.
        MissingDependencyError: DeepSpeed is needed and not installed.
    """
    settings = engine_settings(plan, distributed.world_size)
    optimizer = torch.optim.AdamW(
        parameter_groups(model, plan), lr=plan.learning_rate, betas=BETAS, fused=True
    )
    on_one_cpu = distributed.world_size == 1 and distributed.device.type == "cpu"
    if on_one_cpu and plan.precision == "fp32" and plan.deepspeed is None:
        max_norm = float(settings.get("gradient_clipping", 0.0))
        return PlainEngine(model, optimizer, plan.accumulation, max_norm)
    return DeepSpeedEngine(model, optimizer, settings, distributed)


def engine_settings(plan: TrainingPlan, world_size: int) -> dict[str, Any]:
    """The DeepSpeed JSON with batch sizes and precision filled in.

    Raises:
        ConfigError: the file is missing or no JSON, has a stage above ZeRO-2, or sets what section
            `sft` sets; or the batch size does not fit.
    """
    path = Path(plan.deepspeed) if plan.deepspeed else DEFAULT_SETTINGS
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"sft.deepspeed={path} is not a readable JSON file ({error}).") from None
    for key in ("optimizer", "scheduler", "bf16", "fp16", "train_batch_size"):
        if key in settings:
            raise ConfigError(
                f"Take {key!r} out of {path}: it follows from sft.learning_rate, sft.batch_size and"
                " sft.precision."
            )
    if settings.get("zero_optimization", {}).get("stage", 0) > 2:
        raise ConfigError(
            f"{path} asks for ZeRO stage 3, which leaves no rank whole weights to save: set stage"
            " to 2 or less."
        )
    micro_batch, rest = divmod(plan.batch_size, world_size * plan.accumulation)
    if rest or not micro_batch:
        raise ConfigError(
            f"The {plan.role}'s batch_size {plan.batch_size} must be a multiple of {world_size}"
            f" ranks x {plan.accumulation} accumulation steps."
        )
    batches = {"train_batch_size": plan.batch_size, "train_micro_batch_size_per_gpu": micro_batch}
    return {
        **settings,
        **batches,
        "gradient_accumulation_steps": plan.accumulation,
        "bf16": {"enabled": plan.precision == "bf16"},
    }


def parameter_groups(model: ItemLanguageModel, plan: TrainingPlan) -> list[dict[str, Any]]:
    """Trained parameters in three groups: matrices with weight decay, biases and norms without, and
    item embeddings with a learning rate of their own.

    An item embedding gets a gradient only when its item is in a batch, and decay would wear rare
    items away. `rate_factor` multiplies the learning rate of the plan.
    """
    matrices: list[torch.nn.Parameter] = []
    vectors: list[torch.nn.Parameter] = []
    items: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            of_items = name.startswith(("item_embedding", "text_projection"))
            (items if of_items else matrices if parameter.ndim > 1 else vectors).append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": plan.weight_decay, "rate_factor": 1.0},
        {"params": vectors, "weight_decay": 0.0, "rate_factor": 1.0},
        {"params": items, "weight_decay": 0.0, "rate_factor": plan.item_rate_factor},
    ]
    return [group for group in groups if group["params"]]
