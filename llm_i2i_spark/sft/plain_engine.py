"""The optimizer's steps in one process on a CPU, without DeepSpeed, whose buckets and copies cost a
small model more than its gradients.

The arithmetic is DeepSpeed's to the bit: gradients add up in fp32 over the accumulation steps,
their norm is taken in fp64, and a step whose norm is not finite is left out.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from llm_i2i_spark.lm.model import ItemLanguageModel
from llm_i2i_spark.sft.engine_state import EngineState, join, split

CLIP_OFFSET = 1e-6
"""Added to the norm that gradients are clipped by, as DeepSpeed does."""
NORM_PART = 2**15
"""Numbers of which a norm is taken at a time."""


class PlainEngine:
    """A model, its optimizer, and when gradients have been gathered for a step.

    Args:
        model: trained in place.
        optimizer: over its trained parameters.
        accumulation: micro-batches before each step.
        max_norm: of the gradients of a step, which are scaled down to it; 0 for no limit.

    Attributes:
        module: the model.
        optimizer: whose learning rates the training loop sets.
    """

    def __init__(
        self,
        model: ItemLanguageModel,
        optimizer: torch.optim.Optimizer,
        accumulation: int,
        max_norm: float,
    ) -> None:
        self.module, self.optimizer = model, optimizer
        self._accumulation, self._max_norm = accumulation, max_norm
        self._groups: list[list[Tensor]] = [group["params"] for group in optimizer.param_groups]
        self._micro_steps = 0

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """The model's forward pass."""
        return self.module(*inputs, **named)

    def train(self) -> None:
        """Turn dropout on."""
        self.module.train()

    def backward(self, loss: Tensor, last: bool = True) -> None:
        """Add the gradients of the loss of a micro-batch, or of a part of it, divided by the number
        of micro-batches.
        """
        (loss / self._accumulation).backward()  # type: ignore[no-untyped-call]
        self._micro_steps += last

    def step(self) -> None:
        """After the last micro-batch, clip the gradients and let the optimizer make its step."""
        if self._micro_steps < self._accumulation:
            return
        self._micro_steps = 0
        with torch.no_grad():
            if self._clip():
                self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def state(self) -> EngineState:
        """What a resumed training needs beside the weights."""
        return split(self.optimizer.state_dict())

    def restore(self, state: EngineState) -> None:
        """Go on from a state that `state` gave.

        Raises:
            ValueError: it is that of other parameters.
        """
        joined = join(state, self.optimizer.state_dict())
        parameters = [one for group in self._groups for one in group]
        for number, parameter in enumerate(parameters):
            for name in ("exp_avg", "exp_avg_sq"):
                if joined["state"][number][name].shape != parameter.shape:
                    raise ValueError(f"{name} of parameter {number} has another shape")
        self.optimizer.load_state_dict(joined)

    def destroy(self) -> None:
        """Nothing is held outside this process."""

    def _clip(self) -> bool:
        """Scale the gradients of all parameters to the norm allowed; whether they are finite."""
        for parameter in (one for group in self._groups for one in group):
            if parameter.grad is None:  # Adam's averages decay all the same
                parameter.grad = torch.zeros_like(parameter)
        gradients = [[one.grad for one in group if one.grad is not None] for group in self._groups]
        norm = torch.linalg.vector_norm(torch.stack([_norm(group) for group in gradients]))
        if not bool(torch.isfinite(norm)):
            return False
        if self._max_norm and (excess := (norm + CLIP_OFFSET) / self._max_norm) > 1.0:
            torch._foreach_mul_([one for group in gradients for one in group], float(1.0 / excess))
        return True


def _norm(gradients: list[Tensor]) -> Tensor:
    """The norm of the gradients of a group of parameters, a scalar in fp32."""
    squares = torch.zeros((), dtype=torch.float64)
    for gradient in gradients:
        # Part by part, so that the copy in fp64 stays in the cache.
        for part in torch.split(gradient.reshape(-1), NORM_PART):
            exact = part.double()
            squares += torch.dot(exact, exact)
    return squares.float().pow(0.5)
