"""Where what is done of a result is kept until the result is committed, so that a stage that is
started again goes on from there. The folders are named by the fingerprint of the result.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

INFERENCE_FOLDER = "_inference"
"""Under the lake's root: of stages that ask language models, see `lake.kept_results`."""
TRAINING_FOLDER = "checkpoints_files/_partial"
"""Under the lake's root: of fine-tuning, see `sft.training_checkpoints`."""
DIGITS = 32
"""Hexadecimal digits of a fingerprint in the name of its folder."""


def inference_folder(root: Path, fingerprint: str) -> Path:
    """Where results of language models are kept for a result of a stage."""
    return root / INFERENCE_FOLDER / fingerprint[:DIGITS]


def training_folder(root: Path, fingerprint: str) -> Path:
    """Where the training checkpoints of a result are."""
    return root / TRAINING_FOLDER / fingerprint[:DIGITS]


def remove_unfinished_work(root: Path, fingerprints: Iterable[str]) -> None:
    """Remove what was kept for results that are committed.

    Args:
        root: of the lake.
        fingerprints: of those results.
    """
    for fingerprint in filter(None, fingerprints):
        for folder in (inference_folder(root, fingerprint), training_folder(root, fingerprint)):
            shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # others have results there, or nobody has
        (root / INFERENCE_FOLDER).rmdir()
