"""The training loop: the same order, dropout and loss however a batch is split over ranks.

The loss of a step is Σ wᵢ·CEᵢ / Σ wᵢ over the global batch. The examples of a step are assigned to
slots, one for each rank and accumulation step, and all random numbers of a slot come from (seed,
step, slot). So one rank with two accumulation steps trains like two ranks, and a resumed training
like an uninterrupted one, without saving the state of any random generator.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from llm_i2i_spark.base.console import pace
from llm_i2i_spark.base.errors import ConfigError, StageError
from llm_i2i_spark.base.phases import reached
from llm_i2i_spark.lm.loss import LossSums
from llm_i2i_spark.lm.model import ItemLanguageModel
from llm_i2i_spark.sft.distributed import Distributed
from llm_i2i_spark.sft.engine import Engine, TrainingPlan, open_engine
from llm_i2i_spark.sft.memory import fit_memory, free_memory, largest_micro_batch
from llm_i2i_spark.sft.training_checkpoints import CurvePoint, TrainingCheckpoints
from llm_i2i_spark.training_job.events import Reporter

EXAMPLE_ORDER, SLOT = 0, 1
"""What random numbers are for; part of their key."""


class Objective(Protocol):
    """What is minimised.

    Attributes:
        weights: [n] sum of the loss weights of each example.
        lengths: [n] tokens of each example.
        targets: [n] how many hidden states of each are compared with items.
        scored_items: how many items each is compared with.
        unit: plural noun for examples, in progress messages.
    """

    weights: NDArray[np.float64]
    lengths: NDArray[np.int64]
    targets: NDArray[np.int64]
    scored_items: int
    unit: str

    def loss(self, engine: Engine, indices: Sequence[int], generator: torch.Generator) -> LossSums:
        """Σ w·CE and Σ w of some examples.

        Args:
            engine: called like the model; the model itself is `engine.module`.
            indices: of the examples.
            generator: of random negatives.
        """


def train(
    model: ItemLanguageModel,
    objective: Objective,
    plan: TrainingPlan,
    distributed: Distributed,
    checkpoints: TrainingCheckpoints,
    reporter: Reporter,
) -> list[CurvePoint]:
    """Train a model in place, from the newest training checkpoint where there is one.

    Returns:
        The training curve: mean loss and last learning rate of every epoch; the last one may be
        a part of one, where `plan.max_steps` end it.

    Raises:
        ConfigError: there are no examples to train on, too few for so many ranks, or the GPU has
            too little memory.
        StageError: the loss or a weight is NaN or infinite.
    """
    _check_weights(objective.weights, plan, distributed.world_size)
    if _recomputes(model, objective, plan, distributed):
        model.backbone.gradient_checkpointing_enable({"use_reentrant": False})
    engine = open_engine(model, plan, distributed)
    curve = checkpoints.resume(engine, plan.epochs)
    loop = _TrainingLoop(engine, objective, plan, distributed, reporter, len(curve))
    for epoch in range(len(curve), loop.epochs):
        loss = loop.run_epoch(epoch)
        wrong = _not_numbers(loss, model)
        if wrong:
            raise StageError(
                f"The {plan.role}'s {wrong} in epoch {epoch + 1}: lower its learning_rate, or set"
                " sft.precision=fp32."
            )
        last = min((epoch + 1) * loop.steps, loop.all_steps) - 1
        rate = plan.learning_rate_at(last, loop.all_steps)
        curve.append(CurvePoint(plan.role, epoch + 1, loss, rate))
        if (epoch + 1) % plan.checkpoint_every == 0 and epoch + 1 < loop.epochs:
            checkpoints.save(engine, curve)
    engine.destroy()
    return curve


def trained_tokens(objective: Objective, plan: TrainingPlan, distributed: Distributed) -> int:
    """Tokens of all examples that a training sees, each as often as it does, without padding."""
    slots = distributed.world_size * plan.accumulation
    count = len(objective.lengths)
    steps = plan.steps_an_epoch(count, slots)
    whole, rest = divmod(plan.steps_of_all_epochs(steps), steps)
    of_rest = _batches(plan, whole, count, slots)[:rest] if rest else []
    tokens = sum(int(objective.lengths[batch].sum()) for batch in of_rest)
    return whole * int(objective.lengths.sum()) + tokens


def random_numbers(plan: TrainingPlan, *key: int) -> np.random.Generator:
    """A generator that depends on the seed, the role and a key alone."""
    return np.random.default_rng([plan.seed, plan.random_stream, *key])


def _check_weights(weights: NDArray[np.float64], plan: TrainingPlan, world_size: int) -> None:
    slots = world_size * plan.accumulation
    if not weights.sum() > 0:
        raise ConfigError(
            f"The {plan.role} has no example with a weight above 0: check sft.alpha and sft.beta,"
            " and that export wrote rows."
        )
    if len(weights) < slots:
        raise ConfigError(
            f"{len(weights)} examples are too few for {slots} ranks and accumulation steps: set"
            " sft.nproc_per_node=1."
        )


def _recomputes(
    model: ItemLanguageModel, objective: Objective, plan: TrainingPlan, distributed: Distributed
) -> bool:
    """Whether activations are computed again in the backward pass.

    Raises:
        ConfigError: the training does not fit a GPU's memory.
    """
    if distributed.device.type != "cuda":
        return bool(plan.gradient_checkpointing)
    # The same on all ranks: each has the same model, and a GPU of its own.
    ranks = distributed.world_size
    free = min(distributed.all_gather([free_memory(model, distributed.device)], ranks))
    slots = ranks * plan.accumulation
    batches = _batches(plan, 0, len(objective.weights), slots)
    micro_batches = (split_batch(one, objective.lengths, plan, ranks) for one in batches)
    batch = largest_micro_batch(
        objective.lengths,
        objective.targets,
        objective.scored_items,
        (part for of_step in micro_batches for shares in of_step for one in shares for part in one),
    )
    return fit_memory(model, batch, plan, ranks, free)


def _batches(plan: TrainingPlan, epoch: int, examples: int, slots: int) -> list[NDArray[np.int64]]:
    """Numbers of the examples of each step of an epoch, of almost equal size, so that no batch is
    too small for its slots.
    """
    order = random_numbers(plan, EXAMPLE_ORDER, epoch).permutation(examples)
    return np.array_split(order, plan.steps_an_epoch(examples, slots))


def split_batch(
    batch: NDArray[np.int64], lengths: NDArray[np.int64], plan: TrainingPlan, ranks: int
) -> list[list[list[NDArray[np.int64]]]]:
    """What passes through the models of a step.

    Args:
        batch: numbers of its examples.
        lengths: tokens of each example.
        plan: of the training.
        ranks: how many there are.

    Returns:
        For each accumulation step and each rank its examples, in parts of about
        `plan.micro_batch_tokens`; as many on all ranks, which meet at the end of each.
    """
    slots = ranks * plan.accumulation
    shares = [batch[slot::slots] for slot in range(slots)]
    found = []
    for first in range(0, slots, ranks):
        of_ranks, parts = shares[first : first + ranks], 1
        if plan.micro_batch_tokens is not None:
            tokens = max(int(lengths[share].sum()) for share in of_ranks)
            parts = min(math.ceil(tokens / plan.micro_batch_tokens), *map(len, of_ranks))
        found.append([np.array_split(share, max(parts, 1)) for share in of_ranks])
    return found


def _not_numbers(loss: float, model: ItemLanguageModel) -> str | None:
    """What of an epoch is NaN or infinite; the weights after its last step are in no loss yet."""
    if not math.isfinite(loss):
        return "loss is not a number"
    trained = (one for one in model.parameters() if one.requires_grad)
    if not all(bool(torch.isfinite(one).all()) for one in trained):
        return "weights are not numbers"
    return None


class _TrainingLoop:
    """Steps of one training, and their progress.

    Attributes:
        steps: optimizer steps an epoch.
        all_steps: of the whole training.
        epochs: that are begun.
    """

    def __init__(
        self,
        engine: Engine,
        objective: Objective,
        plan: TrainingPlan,
        distributed: Distributed,
        reporter: Reporter,
        start_epoch: int,
    ) -> None:
        self._engine, self._objective, self._plan = engine, objective, plan
        self._distributed, self._reporter = distributed, reporter
        self._slots = distributed.world_size * plan.accumulation
        count = len(objective.weights)
        self.steps = plan.steps_an_epoch(count, self._slots)
        self.all_steps = plan.steps_of_all_epochs(self.steps)
        self.epochs = math.ceil(self.all_steps / self.steps)
        self._started, self._start_epoch = time.monotonic(), start_epoch

    def run_epoch(self, epoch: int) -> float:
        """One pass over the examples; their weighted mean loss."""
        weights = self._objective.weights
        batches = _batches(self._plan, epoch, len(weights), self._slots)
        batches = batches[: self.all_steps - epoch * self.steps]
        self._engine.train()
        sums = torch.zeros(2, dtype=torch.float64)
        for number, batch in enumerate(batches):
            step = epoch * self.steps + number
            loss = self._run_step(step, batch, float(weights[batch].sum()))
            sums += (
                torch.tensor([loss, float(weights[batch].sum())], dtype=torch.float64)
                if self._distributed.is_main
                else 0
            )
            self._report(epoch, number, float(sums[0] / sums[1]) if sums[1] else 0.0)
        sums = self._distributed.broadcast(sums)
        return float(sums[0] / sums[1])

    def _run_step(self, step: int, batch: NDArray[np.int64], total_weight: float) -> float:
        """One optimizer step on a global batch; Σ w·CE over it."""
        plan, distributed = self._plan, self._distributed
        reached("training step", 1, f"{plan.role} {step}")
        for group in self._engine.optimizer.param_groups:
            group["lr"] = plan.learning_rate_at(step, self.all_steps) * group["rate_factor"]
        loss = torch.zeros((), device=distributed.device)
        # DeepSpeed averages over ranks and accumulation steps, but their weights are not equal:
        # undo it, and divide by the weight of the global batch.
        scale = self._slots / max(total_weight, torch.finfo(torch.float32).tiny)
        split = split_batch(batch, self._objective.lengths, plan, distributed.world_size)
        for micro_step, of_ranks in enumerate(split):
            slot = micro_step * distributed.world_size + distributed.rank
            seed = int(random_numbers(plan, SLOT, step, slot).integers(2**62))
            torch.manual_seed(seed)
            negatives = torch.Generator().manual_seed(seed)
            parts = of_ranks[distributed.rank]
            for number, part in enumerate(parts, start=1):
                sums = self._objective.loss(self._engine, part.tolist(), negatives)
                self._engine.backward(sums.loss * scale, number == len(parts))
                loss += sums.loss.detach()
            self._engine.step()
        return float(distributed.all_reduce(loss))

    def _report(self, epoch: int, number: int, loss: float) -> None:
        done = (epoch - self._start_epoch) * self.steps + number + 1
        examples = len(self._objective.weights) * done / self.steps
        how_fast = pace(examples, max(time.monotonic() - self._started, 1e-9))
        note = (
            f"epoch {epoch + 1} of {self.epochs}, loss {loss:.4f}, {self._objective.unit}:"
            f" {how_fast}"
        )
        self._reporter.progress(
            self._plan.role,
            epoch * self.steps + number + 1,
            self.all_steps,
            "steps",
            note,
        )
