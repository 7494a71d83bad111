"""Which checkpoint a stage works with: the row of the table `checkpoints` for a role, at the
version resolved for the run.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.lake.tables import Lake


@dataclass(frozen=True)
class Checkpoint:
    """Where a model's files are, and the digest they must have."""

    path: str
    digest: str


def find_checkpoint(lake: Lake, role: str, version: int) -> Checkpoint:
    """The checkpoint of a role (`generator` or `discriminator`) in a version of the table
    `checkpoints`.

    Raises:
        UserError: that version holds none for the role.
    """
    rows = (
        lake.read("checkpoints", version)
        .where(F.col("role") == role)
        .select("path", "model_digest")
        .collect()
    )
    if not rows:
        raise UserError(
            f"Version {version} of the table checkpoints holds no {role}; run stage sft first."
        )
    return Checkpoint(path=rows[0]["path"], digest=rows[0]["model_digest"])
