"""What killed processes have left in a local lake and in the temporary folder: removed when the
next run begins.

Nothing is removed that a process is at work on, that a run goes on from (`_partial` of training
jobs, `_inference`), or that only a `VACUUM` may decide on (data files that no version names).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from llm_i2i_spark.base.unfinished import TEMPORARY, UNFINISHED, remove_abandoned
from llm_i2i_spark.lake.unfinished_work import INFERENCE_FOLDER

STAGING_FOLDER = "_staging"
"""Under the lake's root: rows that a stage reads more than once."""


def remove_leftovers(root: Path) -> None:
    """Remove rows that were staged, files and folders that were being written, and copies of
    settings for training jobs, whose processes are gone.

    Args:
        root: of the lake.
    """
    for folder in writing_folders(root):
        remove_abandoned(folder, UNFINISHED)
    remove_abandoned(root / STAGING_FOLDER, "*")
    remove_abandoned(Path(tempfile.gettempdir()), TEMPORARY)


def writing_folders(root: Path) -> Iterator[Path]:
    """The folders of a lake in which files are written under hidden names."""
    yield root
    for pattern in ("*", "*/_delta_log", f"{INFERENCE_FOLDER}/*"):
        yield from (path for path in sorted(root.glob(pattern)) if path.is_dir())
