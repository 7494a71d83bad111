"""Bit flips over the checkpoints of language models, and over the state of a training that goes on:
a damaged checkpoint is refused, a damaged state is passed over, and the weights in the end are
those of the training that nothing happened to.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from llm_i2i_spark.lm.calibration import Calibration
from llm_i2i_spark.lm.checkpoint import load_checkpoint, save_checkpoint
from llm_i2i_spark.prompts.templates import GENERATOR
from llm_i2i_spark.sft.distributed import initialize_distributed
from tests.faults.flips import Target
from tests.lm.conftest import Small
from tests.sft import test_training as training

pytestmark = [pytest.mark.faults("F11", end="either"), pytest.mark.lm]
Flip = Callable[[Target, int], None]


def weights(model: torch.nn.Module) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


def test_a_checkpoint_of_a_language_model(flip: Flip, tmp_path: Path) -> None:
    made, folder = Small.checkpoint(kind="codes"), tmp_path / "generator-1"
    fields = {"role": "generator", "max_items": 50, "max_length": 1024, "final_loss": 0.7}
    texts = {"training.jsonl": '{"epoch": 1, "loss": 0.5}\n'}
    calibration = Calibration(0.5, 0.25, -3.0)
    save_checkpoint(folder, made.model, made.vocabulary, None, fields, calibration, texts)

    def read() -> Any:
        found = load_checkpoint(folder, GENERATOR, "cpu")
        words = found.vocabulary.item_ids, found.vocabulary.codes.tolist()
        return weights(found.model), words, found.manifest, found.calibration, found.digest

    flip(Target("checkpoint of a language model", folder, read), 200)


def test_the_state_of_an_unfinished_training(flip: Flip, tmp_path: Path) -> None:
    one_rank = initialize_distributed()
    torch.set_num_threads(1)
    settings = training.SETTINGS.model_copy(update={"epochs": 3, "checkpoint_every": 1})
    state = tmp_path / "state"

    def train(folder: Path, notes: list[Any]) -> dict[str, bytes]:
        model = training.make_model(settings)
        objective = training.make_objective(model, lambda _: 1.0, sampled=6)
        training.run(model, objective, training.make_plan(settings), one_rank, folder, notes)
        return weights(model)

    train(state, [])
    target = Target("state of an unfinished training", state, lambda: None)

    def read() -> dict[str, bytes]:
        notes: list[Any] = []
        shutil.rmtree(tmp_path / "work", ignore_errors=True)
        shutil.copytree(state, tmp_path / "work")
        found = train(tmp_path / "work", notes)
        target.notes += [one["text"] for one in notes if "skipped" in one.get("text", "")]
        return found

    target.read = read
    flip(target, 50)
