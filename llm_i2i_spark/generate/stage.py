"""Stage generate: what it reads and what its results depend on; `execute` does the work."""

from __future__ import annotations

from llm_i2i_spark.base.stage import Stage

STAGE = Stage(
    name="generate",
    reads=("interactions", "items", "checkpoints"),
    settings=(
        "generate",
        "export.history_length",
        "export.layout",
        "export.sequence_length",
        "split.protocol",
        "split.holdout",
        "split.hold_back",
    ),
    code=(
        "generate",
        "lm",
        "prompts",
        "lake/user_histories",
        "lake/batch_inference",
        "lake/splits",
    ),
)
