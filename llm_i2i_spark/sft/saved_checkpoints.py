"""Checkpoints in their final folders, and whether those that were committed are still there. Their
content is verified when they are loaded; here their files are counted and measured, without torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_i2i_spark.base.contract import Scope
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.manifest import is_complete
from llm_i2i_spark.base.run_record import Histories
from llm_i2i_spark.lake.delta_rs import DeltaRsLake


@dataclass(frozen=True)
class SavedCheckpoint:
    """A checkpoint that is complete and in its final folder.

    Attributes:
        role: name of the role.
        path: of the folder.
        digest: model digest.
        fields: of the manifest.
    """

    role: str
    path: str
    digest: str
    fields: dict[str, Any]


def lost_checkpoint(lake: Histories, version: int, scope: Scope) -> str | None:
    """What is gone of the checkpoints of a branch, in words; None where all of it is there.

    Args:
        lake: with the table `checkpoints`; only a local one can be looked at.
        version: of the table.
        scope: the branch.
    """
    if not isinstance(lake, DeltaRsLake):
        return None
    try:
        rows = lake.read("checkpoints", version, ["role", "path"], scope).to_pylist()
    except UserError as error:
        return str(error).rstrip(".")
    for row in rows:
        if not is_complete(Path(row["path"])):
            return f"files of the {row['role']} in {row['path']} are missing"
    return None


def checkpoint_folders(lake: DeltaRsLake, version: int, scope: Scope) -> list[Path]:
    """The folders of the checkpoints that a version of the table `checkpoints` names for a branch.

    Raises:
        UserError: the table cannot be read.
    """
    rows = lake.read("checkpoints", version, ["path"], scope)
    return [Path(path) for path in rows.column("path").to_pylist()]
