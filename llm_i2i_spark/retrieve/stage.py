"""Stage retrieve: what it reads and what its results depend on; `execute` does the work."""

from __future__ import annotations

from llm_i2i_spark.base.stage import Stage

STAGE = Stage(
    name="retrieve",
    reads=("interactions", "items", "checkpoints"),
    settings=(
        "retrieve",
        "export.history_length",
        "export.layout",
        "export.sequence_length",
        "split.protocol",
        "split.holdout",
        "split.hold_back",
    ),
    code=(
        "retrieve",
        "lm",
        "prompts",
        "kernels/nearest_rows",
        "kernels/top_k",
        "lake/user_histories",
        "lake/batch_inference",
        "lake/splits",
    ),
)
