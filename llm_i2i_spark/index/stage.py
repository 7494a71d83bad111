"""Stage index: what it reads and what its results depend on; `execute` does the work."""

from __future__ import annotations

from llm_i2i_spark.base.stage import Stage

STAGE = Stage(
    name="index",
    reads=("item_similarity", "fused"),
    settings=(
        "index.size",
        "index.normalize",
        "index.popularity_exponent",
        "index.new_item_boost",
    ),
    code=("index/execute", "index/transform"),
    code_with_imports=("backbones/{backbone}",),
)
