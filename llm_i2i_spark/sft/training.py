"""The training loop: the same order, the same dropout and the same loss however the batch is shared
out.

The loss of a step is Σ wᵢ·CEᵢ / Σ wᵢ over the global batch. A step's examples are dealt to slots,
one for each rank and accumulation step, and all randomness of a slot comes from (seed, step, slot);
so one rank with two accumulation steps trains like two ranks, and a resumed training like one that
was never interrupted, without saving the state of any random generator.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from llm_i2i_spark.base.errors import StageError, UserError
from llm_i2i_spark.lm.loss import LossSums
from llm_i2i_spark.lm.model import ItemLanguageModel
from llm_i2i_spark.sft.distributed import Ranks
from llm_i2i_spark.sft.engine import TrainingPlan, open_engine
from llm_i2i_spark.sft.events import Reporter
from llm_i2i_spark.sft.training_checkpoints import CurvePoint, Partials

ORDER, NOISE = 0, 1


class Objective(Protocol):
    """What is trained on.

    Attributes:
        weights: [n] the sum of loss weights of each example.
        unit: the word for an example.
    """

    weights: NDArray[np.float64]
    unit: str

    def loss(self, engine: Any, chosen: Sequence[int], draws: torch.Generator) -> LossSums:
        """Σ w·CE and Σ w of some examples.

        Args:
            engine: called like the model; the model itself is `engine.module`.
            chosen: numbers of the examples.
            draws: for random negatives.
        """


def train(
    model: ItemLanguageModel,
    objective: Objective,
    plan: TrainingPlan,
    ranks: Ranks,
    partials: Partials,
    reporter: Reporter,
) -> list[CurvePoint]:
    """Train a model in place, from the newest resumable checkpoint where there is one.

    Returns:
        The training curve: for every epoch its mean loss and last learning rate.

    Raises:
        UserError: there is nothing to train on, or too little for so many ranks.
        StageError: the loss is no longer a number.
    """
    _check_weights(objective.weights, plan, ranks.world)
    engine = open_engine(model, plan, ranks)
    curve = partials.resume(engine)
    loop = _Loop(engine, objective, plan, ranks, reporter, len(curve))
    for epoch in range(len(curve), plan.epochs):
        loss = loop.run_epoch(epoch)
        if not math.isfinite(loss):
            advice = "lower its learning_rate, or set sft.precision=fp32."
            raise StageError(
                f"The {plan.role}'s loss is not a number in epoch {epoch + 1}: {advice}"
            )
        rate = plan.learning_rate_at((epoch + 1) * loop.steps - 1, plan.epochs * loop.steps)
        curve.append(CurvePoint(plan.role, epoch + 1, loss, rate))
        if (epoch + 1) % plan.checkpoint_every == 0 and epoch + 1 < plan.epochs:
            partials.save(engine, curve)
    engine.destroy()
    return curve


def _check_weights(weights: NDArray[np.float64], plan: TrainingPlan, world: int) -> None:
    slots = world * plan.accumulation
    if not weights.sum() > 0:
        raise UserError(
            f"The {plan.role} has no example with a weight above 0: check sft.alpha and sft.beta,"
            " and that export wrote rows."
        )
    if len(weights) < slots:
        raise UserError(
            f"{len(weights)} examples are too few for {slots} ranks and accumulation steps: set"
            " sft.nproc_per_node=1."
        )


class _Loop:
    """What every step of a training shares."""

    def __init__(
        self,
        engine: Any,
        objective: Objective,
        plan: TrainingPlan,
        ranks: Ranks,
        reporter: Reporter,
        start_epoch: int,
    ) -> None:
        self._engine, self._objective, self._plan, self._ranks, self._reporter = (
            engine,
            objective,
            plan,
            ranks,
            reporter,
        )
        self._slots = ranks.world * plan.accumulation
        count = len(objective.weights)
        # Batches of almost equal size, so that none is too small for its slots.
        self.steps = min(math.ceil(count / plan.batch_size), count // self._slots)
        self._started, self._start_epoch = time.monotonic(), start_epoch

    def run_epoch(self, epoch: int) -> float:
        """One pass over the examples; the mean loss over all of them, weighted."""
        weights = self._objective.weights
        order = _random(self._plan.seed, self._plan.role, ORDER, epoch).permutation(len(weights))
        self._engine.train()
        sums = torch.zeros(2, dtype=torch.float64)
        for number, batch in enumerate(np.array_split(order, self.steps)):
            step = epoch * self.steps + number
            loss = self._run_step(step, batch, float(weights[batch].sum()))
            sums += (
                torch.tensor([loss, float(weights[batch].sum())], dtype=torch.float64)
                if self._ranks.first
                else 0
            )
            self._report(epoch, number, float(sums[0] / sums[1]) if sums[1] else 0.0)
        sums = self._ranks.from_first(sums)
        return float(sums[0] / sums[1])

    def _run_step(self, step: int, batch: NDArray[np.int64], total_weight: float) -> float:
        """One optimizer step on a global batch; Σ w·CE over it."""
        plan, ranks = self._plan, self._ranks
        for group in self._engine.optimizer.param_groups:
            group["lr"] = (
                plan.learning_rate_at(step, plan.epochs * self.steps) * group["rate_share"]
            )
        loss = torch.zeros((), device=ranks.device)
        # DeepSpeed takes the mean over ranks and accumulation steps, but the weights are shared out
        # unevenly: undo it.
        scale = self._slots / max(total_weight, torch.finfo(torch.float32).tiny)
        for turn in range(plan.accumulation):
            slot = turn * ranks.world + ranks.rank
            seed = int(_random(plan.seed, plan.role, NOISE, step, slot).integers(2**62))
            torch.manual_seed(seed)
            sums = self._objective.loss(
                self._engine,
                batch[slot :: self._slots].tolist(),
                torch.Generator().manual_seed(seed),
            )
            self._engine.backward(sums.loss * scale)
            self._engine.step()
            loss += sums.loss.detach()
        return float(ranks.sum(loss))

    def _report(self, epoch: int, number: int, loss: float) -> None:
        done = (epoch - self._start_epoch) * self.steps + number + 1
        examples = (
            len(self._objective.weights)
            * done
            / self.steps
            / max(time.monotonic() - self._started, 1e-9)
        )
        note = (
            f"epoch {epoch + 1} of {self._plan.epochs}, loss {loss:.4f}, {examples:,.0f}"
            f" {self._objective.unit} a second"
        )
        self._reporter.progress(
            self._plan.role,
            epoch * self.steps + number + 1,
            self._plan.epochs * self.steps,
            "steps",
            note,
        )


def _random(seed: int, role: str, *place: int) -> np.random.Generator:
    """Randomness that belongs to one place of one training."""
    return np.random.default_rng([seed, 0 if role == "generator" else 1, *place])
