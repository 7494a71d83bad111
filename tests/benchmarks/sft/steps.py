"""Training steps of both roles: their share of the machine's matrix rate, and what DeepSpeed costs
beside them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from llm_i2i_spark.config.config import Config
from llm_i2i_spark.sft.artifacts import ModelArtifacts, prepare_artifacts
from llm_i2i_spark.sft.deepspeed_engine import DeepSpeedEngine
from llm_i2i_spark.sft.distributed import initialize_distributed
from llm_i2i_spark.sft.engine import (
    BETAS,
    Engine,
    TrainingPlan,
    engine_settings,
    open_engine,
    parameter_groups,
)
from llm_i2i_spark.sft.objectives.next_item import NextItemObjective
from llm_i2i_spark.sft.objectives.yes_no import YesNoObjective
from llm_i2i_spark.sft.roles import ROLES
from llm_i2i_spark.sft.roles.base import Role
from llm_i2i_spark.sft.training import EXAMPLE_ORDER, Objective, random_numbers
from tests.benchmarks.report import (
    interleaved,
    median,
    process_seconds,
    report,
    report_plain,
)
from tests.benchmarks.sft import beauty

STEPS, SQUARE = 20, 1024
GOAL = 0.55
"""Share of the matrix rate."""


def measure_steps(name: str, repeat: int, scale: float) -> None:
    """Measure the steps of a role, in turn with matrix products and with DeepSpeed's steps.

    Args:
        name: of the role.
        repeat: runs behind each median.
        scale: of the steps of a run.
    """
    role = next(one for one in ROLES if one.name == name)
    config, ranks, steps = Config(), initialize_distributed(), max(1, round(STEPS * scale))
    plan = TrainingPlan.of_role(role, config.sft, config.seed, ranks.device)
    engines = {"own": open_engine(_model(role), plan, ranks)}
    model = _model(role)
    optimizer = torch.optim.AdamW(parameter_groups(model, plan), betas=BETAS, fused=True)
    engines["deepspeed"] = DeepSpeedEngine(model, optimizer, engine_settings(plan, 1), ranks)
    objective = _objective(role, engines["own"])
    count = plan.steps_an_epoch(len(objective.weights), 1)
    order = random_numbers(plan, EXAMPLE_ORDER, 0).permutation(len(objective.weights))
    batches = np.array_split(order, count)[:steps]
    square = torch.randn(SQUARE, SQUARE)
    for engine in engines.values():
        engine.train()
        _run(engine, objective, batches[:2])  # a warm-up
    with FlopCounterMode(display=False) as counted:
        _run(engines["own"], objective, batches)
    found = interleaved(
        repeat,
        {
            "own": lambda: process_seconds(lambda: _run(engines["own"], objective, batches)),
            "deepspeed": lambda: process_seconds(
                lambda: _run(engines["deepspeed"], objective, batches)
            ),
            "matrix": lambda: process_seconds(lambda: [square @ square for _ in range(20)]),
        },
    )
    rate = 20 * 2 * SQUARE**3 / median(found["matrix"])
    seconds = {kind: median(found[kind]) / len(batches) for kind in engines}
    flops = counted.get_total_flops() / len(batches)
    raw: dict[str, Any] = {
        "step_ms": 1000 * seconds["own"],
        "deepspeed_step_ms": 1000 * seconds["deepspeed"],
        "gigaflop_a_step": flops / 1e9,
        "matrix_gigaflop_a_second": rate / 1e9,
        "steps_an_epoch": count,
        "epochs": plan.epochs,
        "threads": torch.get_num_threads(),
        "repeat": repeat,
    }
    report(f"{name}_share_of_matrix_rate", flops / rate / seconds["own"], ">=", GOAL, **raw)
    report_plain(f"{name}_over_deepspeed", seconds["own"] / seconds["deepspeed"], repeat=repeat)


def _run(engine: Engine, objective: Objective, batches: list[Any]) -> None:
    for number, batch in enumerate(batches):
        torch.manual_seed(number)
        negatives = torch.Generator().manual_seed(number)
        sums = objective.loss(engine, batch.tolist(), negatives)
        engine.backward(sums.loss / sums.weight)
        engine.step()


@lru_cache(maxsize=1)
def _artifacts() -> ModelArtifacts:
    texts = beauty.catalogue()
    return prepare_artifacts(Config(), texts, lambda: iter([]), initialize_distributed())


def _model(role: Role) -> Any:
    model = _artifacts().new_model()
    for name in role.frozen_modules:
        model.get_submodule(name).requires_grad_(False)
    return model


def _objective(role: Role, engine: Engine) -> Objective:
    artifacts, config = _artifacts(), Config()
    encoder, device = artifacts.encoder(engine.module, role), torch.device("cpu")
    users, texts = beauty.histories(), beauty.catalogue()
    if role.name == "discriminator":
        return YesNoObjective(beauty.candidates(users, texts, config), encoder, device)
    rows = beauty.generator_rows(users, texts, config)
    negatives = config.sft.sampled_negatives
    return NextItemObjective(rows, encoder, artifacts.has_text, negatives, device)
