"""Stage export: what it reads and what its results depend on; `execute` does the work."""

from __future__ import annotations

from llm_i2i_spark.base.stage import Stage

STAGE = Stage(
    name="export",
    reads=("interactions", "items", "item_stats"),
    settings=(
        "export",
        "sft.base_model",
        "sft.alpha",
        "sft.beta",
        "split.protocol",
        "split.hold_back",
        "split.holdout",
    ),
    code=("export", "lake/user_histories", "lake/interaction_weights", "lake/splits"),
)
