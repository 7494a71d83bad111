"""Resumable checkpoints: written beside, vouched for file by file, renamed; read back only when
every byte is as it was written.

checkpoints_files/_partial/<fingerprint>/<role>/epoch-00010/   state/ (DeepSpeed's files),
manifest.json (sha256 of each, the curve)

DeepSpeed alone writes its files in place and takes the newest unchecked, so a kill in between would
train on from half a state.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from llm_i2i_spark.base.files import flush, sha256_of
from llm_i2i_spark.sft.distributed import Ranks
from llm_i2i_spark.sft.events import Reporter

MANIFEST = "manifest.json"
TAG = "state"
KEPT = 2


@dataclass(frozen=True)
class CurvePoint:
    """One epoch of a training: its mean weighted loss and the learning rate at its end."""

    role: str
    epoch: int
    loss: float
    learning_rate: float


class Partials:
    """The resumable checkpoints of one training of one fingerprint.

    Args:
        folder: of this fingerprint and role.
        ranks: all of them write, rank 0 vouches.
        reporter: hears what is resumed and what is skipped.
    """

    def __init__(self, folder: Path, ranks: Ranks, reporter: Reporter) -> None:
        self._folder, self._ranks, self._reporter = folder, ranks, reporter

    def save(self, engine: Any, curve: list[CurvePoint]) -> None:
        """Keep the state after `len(curve)` epochs; older ones but for the one before are removed."""
        target = self._folder / f"epoch-{len(curve):05d}"
        hidden = target.with_name(f".{target.name}.writing")
        if self._ranks.first:
            shutil.rmtree(hidden, ignore_errors=True)
            hidden.mkdir(parents=True)
        self._ranks.wait()
        engine.save_checkpoint(str(hidden), tag=TAG, save_latest=False)
        self._ranks.wait()
        if self._ranks.first:
            _seal(hidden, {"world": self._ranks.world, "curve": [asdict(point) for point in curve]})
            shutil.rmtree(target, ignore_errors=True)
            hidden.rename(target)
            flush(self._folder)
            for old in self._newest_first()[KEPT:]:
                shutil.rmtree(old, ignore_errors=True)
        self._ranks.wait()

    def resume(self, engine: Any) -> list[CurvePoint]:
        """Load the newest whole checkpoint into the engine.

        Returns:
            The curve so far: one point for each epoch that need not be trained again.
        """
        found = self._ranks.from_first(self._newest_whole() if self._ranks.first else None)
        if found is None:
            return []
        folder, curve = found
        path, _ = engine.load_checkpoint(str(folder), tag=TAG)
        if path is None:
            raise RuntimeError(f"DeepSpeed did not load {folder}, whose files are whole")
        self._reporter.note(f"resumed the {curve[-1].role} after epoch {len(curve)}")
        return curve

    def _newest_whole(self) -> tuple[Path, list[CurvePoint]] | None:
        for folder in self._newest_first():
            manifest = self._checked(folder)
            if manifest is not None:
                return folder, [CurvePoint(**point) for point in manifest["curve"]]
        return None

    def _newest_first(self) -> list[Path]:
        return sorted(self._folder.glob("epoch-*"), reverse=True)

    def _checked(self, folder: Path) -> dict[str, Any] | None:
        """The manifest of a whole checkpoint; None, after saying why, for any other."""
        try:
            manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            wrong = sorted(
                {
                    name
                    for name, digest in manifest["files"].items()
                    if sha256_of(folder / name) != digest
                }
            )
            world = manifest["world"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self._reporter.note(f"skipped the checkpoint {folder.name}: not whole ({error})")
            return None
        if wrong:
            self._reporter.note(
                f"skipped the checkpoint {folder.name}: {wrong[0]} was changed after it was written"
            )
        elif world != self._ranks.world:
            self._reporter.note(
                f"skipped the checkpoint {folder.name}: written by {world} ranks, and there are"
                f" {self._ranks.world}"
            )
        else:
            return manifest
        return None


def _seal(folder: Path, content: dict[str, Any]) -> None:
    """Write the manifest last, and all of it to the disk."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    digests = {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}
    manifest = folder / MANIFEST
    manifest.write_text(
        json.dumps({**content, "files": digests}, indent=1, sort_keys=True), encoding="utf-8"
    )
    for path in [*files, manifest, folder / TAG, folder]:
        flush(path)
