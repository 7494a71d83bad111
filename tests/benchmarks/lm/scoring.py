"""The discriminator: ten candidates a history, whose tokens are read once for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.encoding import ScoringRequest
from llm_i2i_spark.lm.scoring import score
from llm_i2i_spark.prompts.items import Item
from tests.benchmarks.lm.machine import (
    Machine,
    parameters,
    random_checkpoint,
    random_codes,
    this_machine,
)
from tests.benchmarks.report import interleaved, median, report

CODE_LENGTH, SHOWN, CANDIDATES = 49, 8, 10
"""An item of 49 tokens makes a history of 393, and suffixes of 50 with the query."""
USERS = 4


def measure(repeat: int, scale: float) -> None:
    """Share of the matrix rate, of what sharing could save, and of padding."""
    machine = this_machine(scale)
    codes = random_codes(1000, CODE_LENGTH, 8)
    checkpoint = random_checkpoint(machine, codes, 8 * CODE_LENGTH)
    rng = np.random.default_rng(1)
    histories, requests = _asked(checkpoint, rng, [SHOWN] * machine.users(USERS))
    alone = [history for history in histories for _ in range(CANDIDATES)]
    one_each = [[request] for of_user in requests for request in of_user]

    def run(shown: Sequence[Sequence[Item]], asked: Sequence[Sequence[ScoringRequest]]) -> Any:
        return score(checkpoint, shown, asked, machine.batch_tokens)

    run(histories, requests)  # a warm-up
    found = interleaved(
        repeat,
        {
            "shared": lambda: machine.seconds(lambda: run(histories, requests)),
            "alone": lambda: machine.seconds(lambda: run(alone, one_each)),
            "matrix": machine.multiply(),
        },
    )
    prefix, suffix = 1 + SHOWN * CODE_LENGTH, CODE_LENGTH + 1
    seconds, rate = median(found["shared"]), median(found["matrix"])
    operations = len(histories) * _operations(machine, checkpoint, prefix, suffix)
    raw = {"users": len(histories), "parameters": parameters(checkpoint.model), "repeat": repeat}
    report(
        "scoring_share_of_matrix_rate",
        operations / seconds / rate,
        ">=",
        0.60,
        teraflop_a_second=operations / seconds / 1e12,
        matrix_teraflop_a_second=rate / 1e12,
        candidates_a_second=CANDIDATES * len(histories) / seconds,
        **raw,
    )
    ideal = CANDIDATES * (prefix + suffix) / (prefix + CANDIDATES * suffix)
    saved = median(found["alone"]) / seconds
    report("scoring_sharing", saved / ideal, ">=", 0.8, alone_over_shared=saved, ideal=ideal)
    report("scoring_padding", _padding(machine, checkpoint, rng), "<=", 0.05)


def _operations(machine: Machine, checkpoint: LoadedCheckpoint, prefix: int, suffix: int) -> float:
    """Of one history with its candidates: two a parameter and token, four a number of each pair of
    tokens that see each other.
    """
    pairs = prefix**2 / 2 + CANDIDATES * (suffix * prefix + suffix**2 / 2)
    shape = machine.shape
    tokens = prefix + CANDIDATES * suffix
    attention = 4.0 * shape.hidden_size * shape.num_hidden_layers * pairs
    return 2.0 * parameters(checkpoint.model) * tokens + attention


def _padding(machine: Machine, checkpoint: LoadedCheckpoint, rng: np.random.Generator) -> float:
    """Share of padding among what passes through the model, for histories of up to `SHOWN`
    items."""
    lengths = rng.integers(1, SHOWN + 1, machine.users(64 * USERS)).tolist()
    histories, requests = _asked(checkpoint, rng, lengths)
    real = sum(
        1 + len(history) * CODE_LENGTH + len(of_user) * (CODE_LENGTH + 1)
        for history, of_user in zip(histories, requests, strict=True)
    )
    passed: list[int] = []

    def count(module: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
        passed.append(inputs[0].numel())

    handle = checkpoint.model.register_forward_pre_hook(count)
    try:
        score(checkpoint, histories, requests, machine.batch_tokens)
    finally:
        handle.remove()
    return 1 - real / sum(passed)


def _asked(
    checkpoint: LoadedCheckpoint, rng: np.random.Generator, lengths: Sequence[int]
) -> tuple[list[list[Item]], list[list[ScoringRequest]]]:
    """Histories of these lengths, and candidates after the whole of each."""
    ids: NDArray[np.str_] = np.array(checkpoint.vocabulary.item_ids)
    histories = [[Item(one, "") for one in rng.choice(ids, n).tolist()] for n in lengths]
    requests = [
        [ScoringRequest(n, Item(one, "")) for one in rng.choice(ids, CANDIDATES).tolist()]
        for n in lengths
    ]
    return histories, requests
