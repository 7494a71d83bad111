"""An item-to-item index from a click log, improved by a language model that mends the log.

Importing the package loads neither Spark nor torch nor numba: each name below is imported when it
is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llm_i2i_spark.backbones import (
        Attribution,
        Blend,
        Bm25,
        Bpr,
        EmTransitions,
        Generated,
        ItemKnn,
        Linear,
        Swing,
        Text,
        Transitions,
        YoutubeDnn,
    )
    from llm_i2i_spark.config.files import load_config
    from llm_i2i_spark.encode.encode_items import encode_items
    from llm_i2i_spark.evaluate.evaluate_index import evaluate_index
    from llm_i2i_spark.evaluate.evaluate_tie_orders import evaluate_tie_orders
    from llm_i2i_spark.index.to_index import to_index
    from llm_i2i_spark.inspection.inspect_source import inspect_source
    from llm_i2i_spark.lake.splits import split_interactions
    from llm_i2i_spark.metrics import MRR, NDCG, Coverage, FillRate, Gini, Novelty, Recall
    from llm_i2i_spark.online.compare_arms import compare_arms
    from llm_i2i_spark.project import Project
    from llm_i2i_spark.serving.lookup import Lookup

__version__ = "0.2.0"

__all__ = [
    "MRR",
    "NDCG",
    "Attribution",
    "Blend",
    "Bm25",
    "Bpr",
    "Coverage",
    "EmTransitions",
    "FillRate",
    "Generated",
    "Gini",
    "ItemKnn",
    "Linear",
    "Lookup",
    "Novelty",
    "Project",
    "Recall",
    "Swing",
    "Text",
    "Transitions",
    "YoutubeDnn",
    "compare_arms",
    "encode_items",
    "evaluate_index",
    "evaluate_tie_orders",
    "inspect_source",
    "load_config",
    "split_interactions",
    "to_index",
]

_MODULES = {
    "backbones": (
        "Attribution",
        "Blend",
        "Bm25",
        "Bpr",
        "EmTransitions",
        "Generated",
        "ItemKnn",
        "Linear",
        "Swing",
        "Text",
        "Transitions",
        "YoutubeDnn",
    ),
    "config.files": ("load_config",),
    "encode.encode_items": ("encode_items",),
    "evaluate.evaluate_index": ("evaluate_index",),
    "evaluate.evaluate_tie_orders": ("evaluate_tie_orders",),
    "index.to_index": ("to_index",),
    "inspection.inspect_source": ("inspect_source",),
    "lake.splits": ("split_interactions",),
    "metrics": ("Coverage", "FillRate", "Gini", "MRR", "NDCG", "Novelty", "Recall"),
    "online.compare_arms": ("compare_arms",),
    "project": ("Project",),
    "serving.lookup": ("Lookup",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from llm_i2i_spark.base.extras import optional_imports

    with optional_imports():
        value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
