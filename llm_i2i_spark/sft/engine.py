"""The DeepSpeed engine of a training: its JSON, with batch sizes and precision filled in, and the
optimizer.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.sections.sft import SftConfig
from llm_i2i_spark.lm.model import ItemLanguageModel
from llm_i2i_spark.sft.distributed import Ranks

PACKAGED = Path(__file__).with_name("zero2.json")
BETAS = (0.9, 0.98)
LAST_LEARNING_RATE_SHARE = 0.02
DISCRIMINATOR_ITEM_RATE_SHARE = (
    0.3  # its few epochs should bend what the generator learned of the items, not overwrite it
)


@dataclass(frozen=True)
class TrainingPlan:
    """The numbers of one training.

    Attributes:
        batch_size: examples a step, over all ranks and accumulation steps.
        accumulation: micro-batches a rank works through before each step.
        warmup_share: of all steps, in which the learning rate rises.
        precision: fp32 or bf16.
        deepspeed: JSON file; None for the packaged one.
        checkpoint_every: epochs between resumable checkpoints.
        item_rate_share: learning rate of the items' embeddings, as a share of the others'.
    """

    role: str
    epochs: int
    learning_rate: float
    batch_size: int
    accumulation: int
    warmup_share: float
    weight_decay: float
    precision: str
    deepspeed: str | None
    checkpoint_every: int
    item_rate_share: float
    seed: int

    @classmethod
    def of_generator(cls, config: SftConfig, seed: int, device: torch.device) -> TrainingPlan:
        """The generator's numbers."""
        return cls(
            role="generator",
            epochs=config.epochs,
            learning_rate=config.learning_rate,
            batch_size=config.batch_size,
            accumulation=config.accumulation_steps,
            warmup_share=config.warmup_share,
            weight_decay=config.weight_decay,
            precision=(
                ("bf16" if device.type == "cuda" else "fp32")
                if config.precision == "auto"
                else config.precision
            ),
            deepspeed=config.deepspeed,
            checkpoint_every=config.checkpoint_every,
            item_rate_share=1.0,
            seed=seed,
        )

    @classmethod
    def of_discriminator(cls, config: SftConfig, seed: int, device: torch.device) -> TrainingPlan:
        """The discriminator's numbers: the generator's but for `sft.discriminator`."""
        own = config.discriminator
        same = cls.of_generator(config, seed, device).__dict__
        changed = {
            "epochs": own.epochs,
            "learning_rate": own.learning_rate,
            "batch_size": own.batch_size,
        }
        return cls(
            **{
                **same,
                **changed,
                "role": "discriminator",
                "item_rate_share": DISCRIMINATOR_ITEM_RATE_SHARE,
            }
        )

    def learning_rate_at(self, step: int, steps: int) -> float:
        """Linear rise over the warm-up, then half a cosine down to a fiftieth.

        Args:
            step: 0 .. steps - 1.
            steps: of the whole training.
        """
        warmup = self.warmup_share * steps
        rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
        fallen = max(0.0, step - warmup) / max(steps - warmup, 1.0)
        share = LAST_LEARNING_RATE_SHARE + (1 - LAST_LEARNING_RATE_SHARE) * 0.5 * (
            1 + math.cos(math.pi * fallen)
        )
        return self.learning_rate * rise * share


def open_engine(model: ItemLanguageModel, plan: TrainingPlan, ranks: Ranks) -> Any:
    """A DeepSpeed engine around the model, with AdamW.

    Raises:
        UserError: the JSON is not usable, or the batch cannot be shared out evenly.
    """
    import deepspeed

    settings = engine_settings(plan, ranks.world)
    optimizer = torch.optim.AdamW(
        parameter_groups(model, plan), lr=plan.learning_rate, betas=BETAS, fused=True
    )
    return deepspeed.initialize(
        model=model.to(ranks.device), optimizer=optimizer, config=settings, dist_init_required=False
    )[0]


def engine_settings(plan: TrainingPlan, world: int) -> dict[str, Any]:
    """The DeepSpeed JSON with batch sizes and precision filled in.

    Raises:
        UserError: the file is missing, no JSON, asks for more than ZeRO-2 or sets what `sft` sets;
            or the batch size does not fit.
    """
    path = Path(plan.deepspeed) if plan.deepspeed else PACKAGED
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"sft.deepspeed={path} is not a readable JSON file ({error}).") from None
    for key in ("optimizer", "scheduler", "bf16", "fp16", "train_batch_size"):
        if key in settings:
            raise UserError(
                f"Take {key!r} out of {path}: it follows from sft.learning_rate, sft.batch_size and"
                " sft.precision."
            )
    if settings.get("zero_optimization", {}).get("stage", 0) > 2:
        raise UserError(
            f"{path} asks for ZeRO stage 3, which leaves no rank whole weights to save: set stage"
            " to 2 or less."
        )
    share, rest = divmod(plan.batch_size, world * plan.accumulation)
    if rest or not share:
        raise UserError(
            f"The {plan.role}'s batch_size {plan.batch_size} must be a multiple of {world} ranks x"
            f" {plan.accumulation} accumulation steps."
        )
    batches = {"train_batch_size": plan.batch_size, "train_micro_batch_size_per_gpu": share}
    return {
        **settings,
        **batches,
        "gradient_accumulation_steps": plan.accumulation,
        "bf16": {"enabled": plan.precision == "bf16"},
    }


def parameter_groups(model: ItemLanguageModel, plan: TrainingPlan) -> list[dict[str, Any]]:
    """Trained parameters in three groups: matrices decay, biases and norms do not, the items'
    embeddings have a rate of their own.

    An item embedding is touched only when its item is in a batch, and decay would wear rare items
    away. `rate_share` is the group's share of the plan's learning rate.
    """
    matrices: list[torch.nn.Parameter] = []
    steady: list[torch.nn.Parameter] = []
    items: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            of_items = name.startswith(("item_embedding", "text_projection"))
            (items if of_items else matrices if parameter.ndim > 1 else steady).append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": plan.weight_decay, "rate_share": 1.0},
        {"params": steady, "weight_decay": 0.0, "rate_share": 1.0},
        {"params": items, "weight_decay": 0.0, "rate_share": plan.item_rate_share},
    ]
    return [group for group in groups if group["params"]]
