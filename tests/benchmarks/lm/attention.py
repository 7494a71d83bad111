"""The attention implementations: the same logits and gradients on packed rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from llm_i2i_spark.base.errors import MissingDependencyError
from llm_i2i_spark.lm.attention import FLASH
from llm_i2i_spark.lm.loss import item_loss
from llm_i2i_spark.lm.packing import PackedExamples, pack_rows
from llm_i2i_spark.prompts.items import Item
from tests.benchmarks.lm.machine import Machine, random_checkpoint, random_codes, this_machine
from tests.benchmarks.report import report, report_left_out

REFERENCE, OTHERS = "eager", ("sdpa", FLASH)
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 5e-2}
"""Of the largest difference over the largest number: bf16 has eight bits."""


class _Found(NamedTuple):
    """Hidden states of real tokens, and the gradient of the first layer's queries."""

    hidden: Tensor
    gradient: Tensor


def measure(repeat: int, scale: float) -> None:
    """Differences from attention as its formula says it; nothing is timed."""
    machine = this_machine(scale)
    expected = _pass(machine, REFERENCE)
    for name in OTHERS:
        try:
            found = _pass(machine, name)
        except MissingDependencyError as error:
            report_left_out(f"attention_{name}", str(error))
            continue
        worst = max(
            float((one - other).abs().max() / other.abs().max())
            for one, other in zip(found, expected, strict=True)
        )
        report(f"attention_{name}", worst, "<=", TOLERANCE[machine.precision])


def _pass(machine: Machine, attention: str) -> _Found:
    checkpoint = random_checkpoint(machine, random_codes(2000, 4, 64), 256, attention)
    model, rng = checkpoint.model, np.random.default_rng(1)
    ids = np.array(checkpoint.vocabulary.item_ids)
    users = [
        [Item(one, "") for one in rng.choice(ids, n).tolist()] for n in rng.integers(3, 40, 24)
    ]
    flat = PackedExamples(
        checkpoint.encoder.next_item_example(user[:1], user[1:], [1.0] * (len(user) - 1))
        for user in users
    )
    batch = flat.batch(pack_rows(flat.lengths.tolist(), 1024)).to(machine.device)
    hidden = model(batch.tokens, batch.position_ids)
    item_loss(model, hidden, batch.targets, batch.weights).loss.backward()  # type: ignore[no-untyped-call]
    gradient = model.backbone.layers[0].self_attn.q_proj.weight.grad
    return _Found(hidden[batch.weights > 0].detach().float(), gradient.float())
