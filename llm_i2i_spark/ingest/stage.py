"""Stage ingest: what it reads and what its results depend on; `execute` does the work."""

from __future__ import annotations

from llm_i2i_spark.base.stage import Stage
from llm_i2i_spark.ingest.source_versions import find_sources

STAGE = Stage(
    name="ingest",
    reads=(),
    settings=(
        "ingest",
        "split.holdout",
        "split.holdout_share",
        "split.test_from",
        "split.valid_from",
        "split.held_back_items",
    ),
    code=("ingest", "base/moments", "lake/splits", "lake/item_statistics"),
    external_inputs=find_sources,
)
