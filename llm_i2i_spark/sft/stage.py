"""Stage sft: what it reads and what its results depend on; `execute` does the work."""

from __future__ import annotations

from llm_i2i_spark.base.extras import require_packages
from llm_i2i_spark.base.stage import Stage

STAGE = Stage(
    name="sft",
    reads=("sft_generator", "sft_discriminator", "items"),
    settings=("sft", "export.negatives", "generate.per_user"),
    code=("sft", "lm", "prompts"),
    prepare=lambda config, scopes: require_packages("sft"),
)
