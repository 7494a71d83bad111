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
    """Which results of a table a combiner is trained on.

    Of what language models have made there is only that of models which have not seen the
    interactions to predict; of the variant's own interactions, those alone are used.
    """
    held_back = find_variant(scope["variant"]).as_held_back()
    contract = TABLES[table]
    if table == "fused":
        return {"variant": scope["variant"]}, {"variant": held_back.name}
    if contract.scope == ("branch",):
        branch = {"branch": held_back.branch_in(contract.stage)}
        return (branch,) if held_back.has_synthetic else ()
    return (contract.scope_of(scope),)


STAGE = Stage(
    name="combine",
    reads=("fused", "items", "item_stats", "item_features", "item_candidates"),
    settings=("i2i.{backbone}",),
    code=("combine", "base/manifest", "lm/reproducible"),
    code_with_imports=("backbones/{backbone}",),
    makes=lambda scope: find_backbone(scope["backbone"]).is_trained,
    scopes_read=scopes_read,
    lost=lost_combiner,
    prepare=lambda config, scopes: require_packages("lm"),
)
