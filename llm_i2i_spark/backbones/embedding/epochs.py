"""The loop of a training over interactions: epochs of mini-batches, told as they go by."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from llm_i2i_spark.backbones.embedding.backbone import EmbeddingBackbone, ReportProgress
from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.base.phases import reached
from llm_i2i_spark.kernels.arrays import Float32Array, Int64Array
from llm_i2i_spark.lm.reproducible import reproducible


def run_epochs(
    backbone: EmbeddingBackbone,
    examples: Int64Array,
    weights: Float32Array,
    step: Callable[[Int64Array], float],
    random: np.random.Generator,
    seed: int,
    report: ReportProgress,
) -> tuple[float, ...]:
    """Go over all examples, in a new order every time.

    Args:
        backbone: with `epochs` and `batch_size`.
        examples: their numbers.
        weights: by number, how much an example counts.
        step: one step on some examples; the sum of their weighted losses before it.
        random: of the orders.
        seed: of torch.
        report: told how many examples are done.

    Returns:
        The mean loss of each epoch; nothing without an example.

    Raises:
        StageError: a loss is NaN or infinite.
    """
    losses: list[float] = []
    with reproducible(seed):
        for epoch in range(backbone.epochs if len(examples) else 0):
            order = random.permutation(examples)
            loss = weight = 0.0
            for start in range(0, len(order), backbone.batch_size):
                chosen = order[start : start + backbone.batch_size]
                loss += step(chosen)
                reached("training step", 1)
                weight += float(weights[chosen].sum(dtype=np.float64))
                done = epoch * len(order) + start + len(chosen)
                note = f"epoch {epoch + 1}, loss {loss / weight:.4f}"
                report(done, backbone.epochs * len(order), note)
            if not math.isfinite(loss):
                raise StageError(
                    f"The loss of {backbone.name} is not a number in epoch {epoch + 1}; set a lower"
                    f" i2i.{backbone.name}.learning_rate."
                )
            losses.append(loss / weight)
    return tuple(losses)
