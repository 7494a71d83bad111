"""Backbones: methods that turn interactions into item similarities, one file each."""

from __future__ import annotations

from llm_i2i_spark.backbones.attribution import Attribution
from llm_i2i_spark.backbones.base import Backbone, BackboneRun, EngineOptions
from llm_i2i_spark.backbones.blend import Blend
from llm_i2i_spark.backbones.bm25 import Bm25
from llm_i2i_spark.backbones.bpr import Bpr
from llm_i2i_spark.backbones.em_transitions import EmTransitions
from llm_i2i_spark.backbones.generated import Generated
from llm_i2i_spark.backbones.item_knn import ItemKnn
from llm_i2i_spark.backbones.linear import Linear
from llm_i2i_spark.backbones.swing import Swing
from llm_i2i_spark.backbones.text import Text
from llm_i2i_spark.backbones.transitions import Transitions
from llm_i2i_spark.backbones.youtube_dnn import YoutubeDnn
from llm_i2i_spark.base.errors import ConfigError

__all__ = [
    "BACKBONES",
    "Attribution",
    "Backbone",
    "BackboneRun",
    "Blend",
    "Bm25",
    "Bpr",
    "EmTransitions",
    "EngineOptions",
    "Generated",
    "ItemKnn",
    "Linear",
    "Swing",
    "Text",
    "Transitions",
    "YoutubeDnn",
    "find_backbone",
]

BACKBONES: tuple[type[Backbone], ...] = (
    Swing,
    ItemKnn,
    Bm25,
    Transitions,
    EmTransitions,
    Attribution,
    Generated,
    Blend,
    Linear,
    Text,
    Bpr,
    YoutubeDnn,
)
"""Every backbone of this package. A class that is listed here has a section `i2i.<name>` in the
configuration, can be named in `i2i.backbone`, and is checked by the conformance tests.
"""


def find_backbone(name: str) -> type[Backbone]:
    """The class of a backbone by its name.

    Raises:
        ConfigError: there is none of this name.
    """
    for backbone in BACKBONES:
        if backbone.name == name:
            return backbone
    known = ", ".join(backbone.name for backbone in BACKBONES)
    raise ConfigError(f"There is no backbone {name!r}; choose one of {known}.")
