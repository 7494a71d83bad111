"""Stage fuse: what it reads and what its results depend on; `execute` does the work."""

from __future__ import annotations

from llm_i2i_spark.base.stage import Stage

STAGE = Stage(
    name="fuse",
    reads=("interactions", "scored", "candidates", "retrieved"),
    settings=("fuse", "split.protocol", "split.holdout", "split.hold_back"),
    code=("fuse", "lake/interaction_weights", "lake/splits"),
)
