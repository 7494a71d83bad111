"""Stage evaluate: what it reads and what its results depend on; `execute` does the work."""

from __future__ import annotations

from llm_i2i_spark.base.extras import require_packages
from llm_i2i_spark.base.stage import Stage

STAGE = Stage(
    name="evaluate",
    reads=("item_index", "interactions", "items", "item_stats"),
    settings=(
        "evaluate",
        "index.recent_items",
        "index.decay",
        "split.protocol",
        "split.holdout",
        "ingest.long_tail_share",
    ),
    code=(
        "evaluate",
        "metrics",
        "kernels/list_merge",
        "kernels/ranking",
        "lake/grouped_map",
        "lake/user_batches",
    ),
    prepare=lambda config, scopes: require_packages("report"),
)
