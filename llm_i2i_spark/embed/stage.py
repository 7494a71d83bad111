"""Stage embed: what it reads and what its results depend on; `execute` does the work."""

from __future__ import annotations

from llm_i2i_spark.backbones import find_backbone
from llm_i2i_spark.base.extras import require_packages
from llm_i2i_spark.base.stage import Stage

STAGE = Stage(
    name="embed",
    reads=("fused",),
    settings=("i2i.{backbone}",),
    settings_without=("i2i.{backbone}.exponent", "i2i.{backbone}.top_k"),
    code=("embed", "lm/reproducible"),
    code_with_imports=("backbones/{backbone}",),
    makes=lambda scope: "item_embeddings" in find_backbone(scope["backbone"]).reads,
    prepare=lambda config, scopes: require_packages("lm"),
)
