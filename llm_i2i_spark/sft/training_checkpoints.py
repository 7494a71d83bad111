"""Training checkpoints: optimizer state and curve of an unfinished training, complete or absent,
verified byte by byte before they are resumed from.

checkpoints_files/_partial/<fingerprint>/<role>/epoch-00010/   state/ (DeepSpeed's files),
manifest.json (sha256 of each, the curve)

DeepSpeed alone writes its files in place and resumes from the newest without a check, so that a
kill in between would resume from a part of a state.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from llm_i2i_spark.base.files import flush, move_into_place, sha256_of
from llm_i2i_spark.base.manifest import MANIFEST
from llm_i2i_spark.sft.distributed import Distributed
from llm_i2i_spark.training_job.events import Reporter

TAG = "state"
KEPT = 2
"""Training checkpoints that are kept: the newest, and one to fall back to."""


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
        distributed: this rank; all ranks write their state, rank 0 the manifest.
        reporter: told what is resumed and what is skipped.
    """

    def __init__(self, folder: Path, distributed: Distributed, reporter: Reporter) -> None:
        self._folder, self._distributed, self._reporter = folder, distributed, reporter

    def save(self, engine: Any, curve: list[CurvePoint]) -> None:
        """Keep the state after `len(curve)` epochs; all but the two newest are removed."""
        target = self._folder / f"epoch-{len(curve):05d}"
        hidden = target.with_name(f".{target.name}.writing")
        if self._distributed.is_main:
            shutil.rmtree(hidden, ignore_errors=True)
            hidden.mkdir(parents=True)
        self._distributed.barrier()
        engine.save_checkpoint(str(hidden), tag=TAG, save_latest=False)
        self._distributed.barrier()
        if self._distributed.is_main:
            points = [asdict(point) for point in curve]
            _write_manifest(hidden, {"world": self._distributed.world_size, "curve": points})
            move_into_place(hidden, target)
            for old in self._newest_first()[KEPT:]:
                shutil.rmtree(old, ignore_errors=True)
        self._distributed.barrier()

    def resume(self, engine: Any) -> list[CurvePoint]:
        """Load the newest complete training checkpoint into the engine.

        Returns:
            The curve so far: one point for each epoch that need not be trained again.
        """
        newest = self._newest_complete() if self._distributed.is_main else None
        newest = self._distributed.broadcast(newest)
        if newest is None:
            return []
        folder, curve = newest
        path, _ = engine.load_checkpoint(str(folder), tag=TAG)
        if path is None:
            raise RuntimeError(f"DeepSpeed did not load {folder}, whose files are complete")
        self._reporter.note(f"resumed the {curve[-1].role} after epoch {len(curve)}")
        return curve

    def _newest_complete(self) -> tuple[Path, list[CurvePoint]] | None:
        for folder in self._newest_first():
            manifest = self._verified_manifest(folder)
            if manifest is not None:
                return folder, [CurvePoint(**point) for point in manifest["curve"]]
        return None

    def _newest_first(self) -> list[Path]:
        return sorted(self._folder.glob("epoch-*"), reverse=True)

    def _verified_manifest(self, folder: Path) -> dict[str, Any] | None:
        """The manifest of a complete training checkpoint; None, after a note of the reason, for any
        other.
        """
        try:
            manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            changed = sorted(
                {
                    name
                    for name, digest in manifest["files"].items()
                    if sha256_of(folder / name) != digest
                }
            )
            world_size = manifest["world"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self._reporter.note(f"skipped the checkpoint {folder.name}: not whole ({error})")
            return None
        if changed:
            self._reporter.note(
                f"skipped the checkpoint {folder.name}: {changed[0]} was changed after it was"
                " written"
            )
        elif world_size != self._distributed.world_size:
            self._reporter.note(
                f"skipped the checkpoint {folder.name}: written by {world_size} ranks, and there"
                f" are {self._distributed.world_size}"
            )
        else:
            return manifest
        return None


def _write_manifest(folder: Path, content: dict[str, Any]) -> None:
    """Write the manifest after all other files, and flush everything to the disk."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    digests = {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}
    manifest = folder / MANIFEST
    manifest.write_text(
        json.dumps({**content, "files": digests}, indent=1, sort_keys=True), encoding="utf-8"
    )
    for path in [*files, manifest, folder / TAG, folder]:
        flush(path)
