"""The checkpoints that a result of the model stages could choose from."""

from __future__ import annotations

from pyspark.sql import functions as F

from llm_i2i_spark.audit.lineage import Lineage, Origin
from llm_i2i_spark.audit.trace.synthetic_origin import Checkpoint


def find_checkpoints(lineage: Lineage, origin: Origin, role: str) -> dict[str, Checkpoint]:
    """The checkpoints of a role that `origin` could choose from, by digest."""
    if lineage.find_input(origin, "checkpoints") is None:
        return {}
    rows = lineage.read(origin, "checkpoints", F.col("role") == role)
    return {
        row["model_digest"]: Checkpoint(
            role, row["model_digest"], row["path"], row["export_version"]
        )
        for row in rows
    }


def named_checkpoint(models: dict[str, Checkpoint], role: str, digest: str) -> Checkpoint:
    """The checkpoint with a digest; without path and version where there is none."""
    return models.get(digest, Checkpoint(role, digest, None, None))
