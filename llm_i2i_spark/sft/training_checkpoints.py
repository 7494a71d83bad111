"""Training checkpoints: weights, optimizer state and curve of an unfinished training, complete or
absent, verified byte by byte before they are resumed from, and free of pickles.

checkpoints_files/_partial/<fingerprint>/<role>/epoch-00010/
    progress.json                          number of ranks, the curve
    state/weights.safetensors
    state/rank-0.safetensors, rank-0.json  of each rank: its part of the engine's state
    manifest.json                          sha256 of each, written last

DeepSpeed alone would write pickles, which run code when they are read, and resume from the newest
without a check, so that a kill in between would resume from a part of a state.
"""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.base.files import flush, move_into_place, sha256_of
from llm_i2i_spark.base.manifest import MANIFEST
from llm_i2i_spark.base.phases import reached
from llm_i2i_spark.lm.model import ItemLanguageModel
from llm_i2i_spark.sft.distributed import Distributed
from llm_i2i_spark.sft.engine import Engine
from llm_i2i_spark.sft.engine_state import EngineState
from llm_i2i_spark.training_job.events import Reporter

STATE, WEIGHTS, PROGRESS = "state", "weights.safetensors", "progress.json"
KEPT = 2
"""Training checkpoints that are kept: the newest, and one to fall back to."""
NOT_LEARNED = frozenset({"scaled_features"})
"""Tensors of a model that are made anew from the catalogue."""
UNUSABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,
    SafetensorError,
)
"""What reading a damaged or crafted checkpoint raises."""


@dataclass(frozen=True)
class CurvePoint:
    """One epoch of a training.

    Attributes:
        role: name of the role.
        epoch: from 1 on.
        loss: weighted mean over the epoch, in nats.
        learning_rate: at the end of the epoch.
    """

    role: str
    epoch: int
    loss: float
    learning_rate: float


class TrainingCheckpoints:
    """The training checkpoints of one role and one fingerprint.

    Args:
        folder: of this fingerprint and role.
        distributed: this rank; all ranks write their state, rank 0 the rest.
        reporter: told what is resumed and what is skipped.
    """

    def __init__(self, folder: Path, distributed: Distributed, reporter: Reporter) -> None:
        self._folder, self._distributed, self._reporter = folder, distributed, reporter

    def save(self, engine: Engine, curve: list[CurvePoint]) -> None:
        """Keep the state after `len(curve)` epochs; all but the two newest are removed."""
        target = self._folder / f"epoch-{len(curve):05d}"
        hidden = target.with_name(f".{target.name}.writing")
        if self._distributed.is_main:
            shutil.rmtree(hidden, ignore_errors=True)
            (hidden / STATE).mkdir(parents=True)
        self._distributed.barrier()
        self._write_state(hidden / STATE, engine.state())
        self._distributed.barrier()
        if self._distributed.is_main:
            weights = {name: one.clone() for name, one in _learned(engine.module).items()}
            save_file(weights, hidden / STATE / WEIGHTS)
            reached("checkpoint file")
            points = [asdict(point) for point in curve]
            progress = {"world": self._distributed.world_size, "curve": points}
            (hidden / PROGRESS).write_text(json.dumps(progress), encoding="utf-8")
            reached("checkpoint file")
            _write_manifest(hidden)
            move_into_place(hidden, target)
            for old in self._newest_first()[KEPT:]:
                shutil.rmtree(old, ignore_errors=True)
        self._distributed.barrier()

    def resume(self, engine: Engine, epochs: int) -> list[CurvePoint]:
        """Load the newest complete training checkpoint into the engine.

        Args:
            engine: as it was opened.
            epochs: of the whole training.

        Returns:
            The curve so far: one point for each epoch that need not be trained again.
        """
        newest = self._newest_complete(engine.module, epochs) if self._distributed.is_main else None
        newest = self._distributed.broadcast(newest)
        if newest is None:
            return []
        folder, curve = newest
        try:
            weights, state = self._read_state(folder)
            engine.module.load_state_dict(weights, strict=False)
            engine.restore(state)
        except (*UNUSABLE, RuntimeError) as error:
            self._remove(folder)
            raise StageError(
                f"The checkpoint {folder.name} cannot be resumed from ({error}) and was removed:"
                " the same command goes on from an earlier one."
            ) from error
        self._reporter.note(f"resumed the {curve[-1].role} after epoch {len(curve)}")
        return curve

    def _remove(self, folder: Path) -> None:
        """Whole, but not a state of this engine: the next start must not try it again."""
        if self._distributed.is_main:
            shutil.rmtree(folder, ignore_errors=True)

    def _newest_complete(
        self, model: ItemLanguageModel, epochs: int
    ) -> tuple[Path, list[CurvePoint]] | None:
        for folder in self._newest_first():
            try:
                reason = self._change(folder)
                if reason is None:
                    # Before anything is changed: a part of a state must not be resumed from.
                    _require_fitting(self._read_state(folder)[0], model)
                    return folder, _curve(folder, epochs)
            except UNUSABLE as error:
                reason = f"not whole ({error})"
            self._reporter.note(f"skipped the checkpoint {folder.name}: {reason}")
        return None

    def _newest_first(self) -> list[Path]:
        return sorted(self._folder.glob("epoch-*"), reverse=True)

    def _change(self, folder: Path) -> str | None:
        """Why a training checkpoint is not what was written by as many ranks, if it is not.

        Raises:
            One of `UNUSABLE`: it lacks a part, or has one too many.
        """
        expected = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        found = _file_names(folder)
        for name in sorted(set(found) ^ set(expected)):
            raise ValueError(f"{name} is {'missing' if name in expected else 'not in it'}")
        for name in found:
            if sha256_of(folder / name) != expected[name]:
                return f"{name} was changed after it was written"
        ranks, own = _progress(folder)["world"], self._distributed.world_size
        return None if ranks == own else f"written by {ranks} ranks, and there are {own}"

    def _write_state(self, folder: Path, state: EngineState) -> None:
        name = f"rank-{self._distributed.rank}"
        save_file(state.tensors, folder / f"{name}.safetensors")
        reached("checkpoint file")
        (folder / f"{name}.json").write_text(json.dumps(state.tree), encoding="utf-8")
        reached("checkpoint file")

    def _read_state(self, folder: Path) -> tuple[dict[str, Any], EngineState]:
        """The weights, and this rank's part of the engine's state."""
        part = folder / STATE / f"rank-{self._distributed.rank}"
        tree = json.loads(part.with_suffix(".json").read_text(encoding="utf-8"))
        state = EngineState(load_file(part.with_suffix(".safetensors")), tree)
        return load_file(folder / STATE / WEIGHTS), state


def _learned(model: ItemLanguageModel) -> dict[str, Any]:
    """What training changes. Frozen weights, such as those under adapters, are read anew."""
    frozen = {name for name, one in model.named_parameters() if not one.requires_grad}
    return {
        name: tensor.detach().cpu()
        for name, tensor in model.state_dict().items()
        if name not in NOT_LEARNED and name not in frozen
    }


def _require_fitting(weights: dict[str, Any], model: ItemLanguageModel) -> None:
    """See that weights are those of a model like this one.

    Raises:
        ValueError: they are not.
    """
    own = _learned(model)
    for name in sorted(set(own) ^ set(weights)):
        raise ValueError(f"{name} is not in both, the model and {WEIGHTS}")
    for name, tensor in own.items():
        if tensor.shape != weights[name].shape:
            raise ValueError(f"{name} has another shape than in the model")


def _progress(folder: Path) -> dict[str, Any]:
    progress: dict[str, Any] = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))
    return progress


def _curve(folder: Path, epochs: int) -> list[CurvePoint]:
    """The curve of a training checkpoint.

    Raises:
        ValueError: it is not that of the first epochs, as many as the folder is named by.
    """
    curve = [CurvePoint(**point) for point in _progress(folder)["curve"]]
    done = len(curve)
    numbered = [point.epoch for point in curve] == list(range(1, done + 1))
    if not (numbered and 0 < done < epochs and folder.name == f"epoch-{done:05d}"):
        raise ValueError(f"its curve is not that of the first {done} of {epochs} epochs")
    if not all(math.isfinite(point.loss) for point in curve):
        raise ValueError("a loss of its curve is not a number")
    return curve


def _write_manifest(folder: Path) -> None:
    """Write the manifest after all other files, and flush everything to the disk."""
    digests = {name: sha256_of(folder / name) for name in _file_names(folder)}
    (folder / MANIFEST).write_text(
        json.dumps({"files": digests}, indent=1, sort_keys=True), encoding="utf-8"
    )
    for path in [*(folder / name for name in digests), folder / MANIFEST, folder / STATE, folder]:
        flush(path)


def _file_names(folder: Path) -> list[str]:
    """Every file below a folder except the manifest, as sorted POSIX paths."""
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    return sorted(name for name in files if name != MANIFEST)
