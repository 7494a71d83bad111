"""Stage fuse: what it reads and what its results depend on; `execute` does the work."""

from __future__ import annotations

from llm_i2i_spark.base.contract import Scope
from llm_i2i_spark.base.stage import Stage
from llm_i2i_spark.base.variants import find_variant


def _unused_settings(scope: Scope) -> tuple[str, ...]:
    """Without a model there is nothing to weigh: the log alone does not depend on the options."""
    return () if find_variant(scope["variant"]).needs_models else ("fuse",)


STAGE = Stage(
    name="fuse",
    reads=("interactions", "scored", "candidates", "retrieved"),
    settings=("fuse", "split.protocol", "split.holdout", "split.hold_back"),
    unused_settings=_unused_settings,
    code=("fuse", "lake/interaction_weights", "lake/splits"),
)
