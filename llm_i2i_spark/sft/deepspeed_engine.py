"""The optimizer's steps by DeepSpeed: several ranks, a GPU, bf16 or a DeepSpeed file."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from llm_i2i_spark.lm.model import ItemLanguageModel
from llm_i2i_spark.sft.distributed import Distributed
from llm_i2i_spark.sft.engine_state import EngineState, join, split


class DeepSpeedEngine:
    """A DeepSpeed engine whose state is written without pickles.

    Args:
        model: trained in place; moved to the rank's device.
        optimizer: over its trained parameters.
        settings: of DeepSpeed, as `engine.engine_settings` fills them in.
        distributed: this rank.

    Attributes:
        module: the model.
    """

    def __init__(
        self,
        model: ItemLanguageModel,
        optimizer: torch.optim.Optimizer,
        settings: dict[str, Any],
        distributed: Distributed,
    ) -> None:
        distributed.join()
        import deepspeed

        self._rank, self._world_size = distributed.rank, distributed.world_size
        self._in_parts = False
        self._engine: Any = deepspeed.initialize(
            model=model.to(distributed.device),
            optimizer=optimizer,
            config=settings,
            dist_init_required=False,
        )[0]
        self.module: ItemLanguageModel = self._engine.module

    @property
    def optimizer(self) -> Any:
        """Whose learning rates the training loop sets."""
        return self._engine.optimizer

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """The model's forward pass."""
        return self._engine(*inputs, **named)

    def train(self) -> None:
        """Turn dropout on."""
        self._engine.train()

    def backward(self, loss: Tensor, last: bool = True) -> None:
        """Add the gradients of the loss of a micro-batch, or of a part of it, divided by the number
        of micro-batches.
        """
        self._in_parts |= not last
        if self._in_parts:  # DeepSpeed takes every call for a micro-batch
            every = self._engine.gradient_accumulation_steps()
            ends_step = (self._engine.micro_steps + 1) % every == 0
            self._engine.set_gradient_accumulation_boundary(last and ends_step)
        self._engine.backward(loss)

    def step(self) -> None:
        """After the last micro-batch, let the optimizer make its step on all ranks."""
        self._engine.step()

    def state(self) -> EngineState:
        """This rank's part of what a resumed training needs beside the weights."""
        return split(self.optimizer.state_dict())

    def restore(self, state: EngineState) -> None:
        """Go on from a state that `state` gave to the same rank of as many."""
        from deepspeed.runtime.base_optimizer import ZeROOptimizer

        joined = join(state, self.optimizer.state_dict())
        if not isinstance(self.optimizer, ZeROOptimizer):
            self.optimizer.load_state_dict(joined)
            return
        # A ZeRO optimizer takes the states of all ranks and reads its own.
        states: list[Any] = [None] * self._world_size
        states[self._rank] = joined
        self.optimizer.load_state_dict(states, load_from_fp32_weights=True)

    def destroy(self) -> None:
        """Let go of DeepSpeed's hooks and buffers."""
        self._engine.destroy()
