"""Stage discriminate: what it reads and what its results depend on; `execute` does the work."""

from __future__ import annotations

from llm_i2i_spark.base.stage import Stage

STAGE = Stage(
    name="discriminate",
    reads=("interactions", "items", "checkpoints", "candidates"),
    settings=(
        "discriminate",
        "export.history_length",
        "export.sequence_length",
        "split.protocol",
        "split.hold_back",
        "split.holdout",
    ),
    code=(
        "discriminate",
        "lm",
        "prompts",
        "lake/user_histories",
        "lake/batch_inference",
        "lake/splits",
    ),
)
