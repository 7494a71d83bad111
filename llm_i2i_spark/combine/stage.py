"""Stage combine: what it reads and what its results depend on; `execute` does the work."""

from __future__ import annotations

from llm_i2i_spark.backbones import find_backbone
from llm_i2i_spark.base.contract import Scope
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.extras import require_packages
from llm_i2i_spark.base.stage import Stage
from llm_i2i_spark.base.variants import find_variant
from llm_i2i_spark.combine.saved_combiners import lost_combiner


def scopes_read(table: str, scope: Scope) -> tuple[dict[str, str], ...]:
    """Which results of a table a combiner is trained on."""
    if table != "fused":
        return (TABLES[table].scope_of(scope),)
    held_back = find_variant(scope["variant"]).as_held_back().name
    return {"variant": scope["variant"]}, {"variant": held_back}


STAGE = Stage(
    name="combine",
    reads=("fused", "items", "item_features"),
    settings=("i2i.{backbone}",),
    code=("combine",),
    code_with_imports=("backbones/{backbone}",),
    makes=lambda scope: find_backbone(scope["backbone"]).is_trained,
    scopes_read=scopes_read,
    lost=lost_combiner,
    prepare=lambda config, scopes: require_packages("sft"),
)
