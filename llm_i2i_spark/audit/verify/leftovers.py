"""What ended runs have left in a lake's folder. Nothing is removed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from llm_i2i_spark.audit.verify.result import Leftover
from llm_i2i_spark.base.manifest import is_complete
from llm_i2i_spark.base.unfinished import UNFINISHED
from llm_i2i_spark.lake.leftovers import STAGING_FOLDER, writing_folders
from llm_i2i_spark.lake.unfinished_work import INFERENCE_FOLDER

CHECKPOINT_FOLDERS = ("checkpoints_files", "combiners_files")
_BELOW_ROOT = {
    STAGING_FOLDER: "rows that a stopped run had staged; the next run removes them",
    INFERENCE_FOLDER: "results of a language model; the run that was stopped goes on from here",
    "_replay": "the scratch lake of a replay that was stopped; may be removed",
}


def find_leftovers(root: Path) -> tuple[Leftover, ...]:
    """The leftovers below the root of a lake, by kind.

    Args:
        root: of the lake.
    """
    return tuple(
        Leftover(path.relative_to(root).as_posix(), _bytes(path), what)
        for path, what in (*_of_runs(root), *_of_training(root), *_unfinished(root))
    )


def _of_runs(root: Path) -> Iterator[tuple[Path, str]]:
    for folder, what in _BELOW_ROOT.items():
        for path in _entries(root / folder):
            yield path, what


def _of_training(root: Path) -> Iterator[tuple[Path, str]]:
    for name in CHECKPOINT_FOLDERS:
        for path in _entries(root / name / "_partial"):
            yield path, "an unfinished training; the run that began it goes on from here"
        for path in _entries(root / name):
            if path.is_dir() and not path.name.startswith(("_", ".")) and not is_complete(path):
                yield path, "a checkpoint without all of its files; its stage makes it again"


def _unfinished(root: Path) -> Iterator[tuple[Path, str]]:
    """Hidden files and folders that were being written."""
    for folder in writing_folders(root):
        for path in sorted(folder.glob(UNFINISHED)):
            yield path, "was being written when its process ended; the next run removes it"


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _bytes(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
