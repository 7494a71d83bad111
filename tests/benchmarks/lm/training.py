"""Fine-tuning: steps on packed rows, beside padded ones and beside one target a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch

from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.loss import item_loss
from llm_i2i_spark.lm.packing import Example, PackedExamples, pack_rows
from llm_i2i_spark.prompts.items import Item
from tests.benchmarks.lm.machine import (
    Machine,
    parameters,
    random_checkpoint,
    random_codes,
    this_machine,
)
from tests.benchmarks.report import interleaved, median, report

CODE_LENGTH, SIZE, ROW = 4, 256, 1024
USERS = 48
LEAST, MEAN = 5, 8.9
"""Clicks of a user: those of Beauty (5-core)."""


def measure(repeat: int, scale: float) -> None:
    """Share of the matrix rate, and what packing and one pass for all targets save."""
    machine = this_machine(scale)
    codes = random_codes(20_000, CODE_LENGTH, SIZE)
    checkpoint = random_checkpoint(machine, codes, SIZE * CODE_LENGTH)
    checkpoint.model.train()
    users = _users(checkpoint, machine.users(USERS))
    at_once = [_example(checkpoint, user, range(1, len(user))) for user in users]
    one_each = [
        _example(checkpoint, user, [target]) for user in users for target in range(1, len(user))
    ]
    packed, padded, single = (
        _step(machine, checkpoint, examples, row)
        for examples, row in ((at_once, ROW), (at_once, 0), (one_each, ROW))
    )
    packed()  # a warm-up
    found = interleaved(
        repeat,
        {
            "packed": lambda: machine.seconds(packed),
            "padded": lambda: machine.seconds(padded),
            "one_target": lambda: machine.seconds(single),
            "matrix": machine.multiply(),
        },
    )
    seconds, rate = median(found["packed"]), median(found["matrix"])
    tokens = sum(len(example.tokens) for example in at_once)
    # Two operations a parameter and token forward, four backward; attention within a user is small.
    operations = 6.0 * parameters(checkpoint.model) * tokens
    report(
        "training_share_of_matrix_rate",
        operations / seconds / rate,
        ">=",
        0.55,
        teraflop_a_second=operations / seconds / 1e12,
        matrix_teraflop_a_second=rate / 1e12,
        tokens_a_second=tokens / seconds,
        parameters=parameters(checkpoint.model),
        repeat=repeat,
    )
    report("training_padded_over_packed", median(found["padded"]) / seconds, ">=", 1.4)
    report("training_one_target_over_all", median(found["one_target"]) / seconds, ">=", 4.0)


def _users(checkpoint: LoadedCheckpoint, count: int) -> list[list[Item]]:
    rng = np.random.default_rng(1)
    ids = np.array(checkpoint.vocabulary.item_ids)
    lengths = LEAST - 1 + rng.geometric(1 / (MEAN - LEAST + 1), count)
    return [[Item(one, "") for one in rng.choice(ids, n).tolist()] for n in lengths]


def _example(checkpoint: LoadedCheckpoint, user: list[Item], targets: Sequence[int]) -> Example:
    """Consecutive targets after the history before the first of them."""
    assert all(after == before + 1 for before, after in pairwise(targets))
    first = targets[0]
    wanted = [user[target] for target in targets]
    return checkpoint.encoder.next_item_example(user[:first], wanted, [1.0] * len(wanted))


def _step(
    machine: Machine, checkpoint: LoadedCheckpoint, examples: Sequence[Example], row: int
) -> Callable[[], None]:
    """Forward and backward pass of all examples, in rows of so many tokens; 0: a row each."""
    flat, model = PackedExamples(examples), checkpoint.model
    lengths = flat.lengths.tolist()
    rows = pack_rows(lengths, row) if row else [[number] for number in range(len(lengths))]
    width = row or max(lengths)
    at_once = max(1, machine.batch_tokens // width)
    parts = [rows[start : start + at_once] for start in range(0, len(rows), at_once)]
    batches = [flat.batch(part).to(machine.device) for part in parts]

    def run() -> None:
        model.zero_grad(set_to_none=True)
        for batch in batches:
            hidden = model(batch.tokens, batch.position_ids)
            item_loss(model, hidden, batch.targets, batch.weights).loss.backward()  # type: ignore[no-untyped-call]
        assert all(
            torch.isfinite(one.grad).all() for one in model.parameters() if one.grad is not None
        )

    return run
