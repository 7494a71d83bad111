"""Which checkpoint a stage works with: the row of the table `checkpoints` for a role, at the
version resolved for the run.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import TableNotFoundError


@dataclass(frozen=True)
class Checkpoint:
    """Where a model's files are, and the digest they must have."""

    path: str
    digest: str


def find_checkpoint(checkpoints: DataFrame, role: str) -> Checkpoint:
    """The checkpoint of a role, such as `generator`.

    Args:
        checkpoints: rows of the table `checkpoints`, of one branch.
        role: which model.

    Raises:
        TableNotFoundError: there is none for the role.
    """
    rows = checkpoints.where(F.col("role") == role).select("path", "model_digest").collect()
    if not rows:
        raise TableNotFoundError(f"The table checkpoints holds no {role}; run stage sft first.")
    return Checkpoint(path=rows[0]["path"], digest=rows[0]["model_digest"])
