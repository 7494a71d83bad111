"""What a search varies of each backbone, unless the user names something else.

The ranges stand beside the classes and not in them: the code of a backbone is part of the
fingerprint of its results, and a wider range changes none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llm_i2i_spark.backbones.attribution import Attribution
from llm_i2i_spark.backbones.base import Backbone
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
from llm_i2i_spark.base.sections.fuse import FuseConfig
from llm_i2i_spark.base.variants import Variant


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; an option that takes whole numbers gets those.

    Attributes:
        low: the least.
        high: the greatest.
        log: whether equal ratios, and not equal differences, are equally likely at the start.
    """

    low: float
    high: float
    log: bool = False

    def __str__(self) -> str:
        return f"{self.low:g}:{self.high:g}{':log' if self.log else ''}"


@dataclass(frozen=True)
class Choice:
    """Some values, without an order between them."""

    values: tuple[Any, ...]

    def __str__(self) -> str:
        return ",".join(map(str, self.values))


Domain = Range | Choice
"""The values that a search may give to an option."""

PARAMETERS: dict[type[Backbone], dict[str, Domain]] = {
    Swing: {"a1": Range(0, 20), "a2": Range(0, 5), "b": Range(0, 1)},
    ItemKnn: {},
    Bm25: {"k1": Range(0.01, 10, log=True), "b": Range(0, 1)},
    Transitions: {"window": Range(1, 20)},
    EmTransitions: {
        "history": Range(1, 20),
        "decay": Range(0.5, 1),
        "prior_strength": Range(1, 100, log=True),
        "prior_damping": Range(0, 0.75),
        "rounds": Range(0, 5),
    },
    Attribution: {
        "history": Range(1, 20),
        "decay": Range(0.5, 1),
        "confidence_exponent": Range(0.1, 2, log=True),
    },
    Generated: {"exponent": Range(0.1, 2, log=True)},
    Blend: {
        "long_tail_weight": Range(1, 8, log=True),
        "hidden": Choice((16, 32, 64)),
        "epochs": Range(4, 16),
        "learning_rate": Range(1e-3, 2e-2, log=True),
        "weight_decay": Range(1e-4, 1e-1, log=True),
        "dropout": Range(0, 0.5),
    },
    Linear: {
        "history": Range(1, 20),
        "decay": Range(0.5, 1),
        "ridge": Range(1, 10_000, log=True),
    },
    Text: {"exponent": Range(1, 16, log=True), "least_similarity": Range(0, 0.5)},
    Bpr: {
        "factors": Range(32, 256, log=True),
        "epochs": Range(10, 60),
        "learning_rate": Range(0.02, 0.5, log=True),
        "regularization": Range(1e-3, 0.3, log=True),
        "negatives": Choice(("uniform", "popularity")),
        "exponent": Range(1, 8),
    },
    YoutubeDnn: {
        "dims": Range(32, 256, log=True),
        "history": Range(5, 50),
        "epochs": Range(5, 40),
        "learning_rate": Range(0.02, 0.5, log=True),
        "layer_learning_rate": Range(0.002, 0.05, log=True),
        "negatives": Choice(("uniform", "popularity")),
        "exponent": Range(1, 8),
    },
}
"""The parameters of each backbone that are searched. Caps, lengths of lists and the number of
examples are not among them: more of those is mostly better, and takes longer.
"""

INDEX: dict[str, Domain] = {
    "index.popularity_exponent": Range(0, 0.75),
    "index.decay": Range(0.3, 1),
}
"""How lists are re-ranked and merged: searched with every backbone."""

MASS: dict[str, Domain] = {"fuse.synthetic_mass": Range(0.1, 5, log=True)}
FUSION = {"confidence": MASS, "generator": MASS, "retrieved": MASS}
"""By the variant's rule for synthetic interactions: how much those weigh together, where that gives
their weights.
"""


def default_space(
    backbone: type[Backbone], variant: Variant, fuse: FuseConfig
) -> Mapping[str, Domain]:
    """What is searched of a variant and a backbone, by dotted key.

    Args:
        backbone: its class.
        variant: what the index is made from.
        fuse: how synthetic interactions get their weights.
    """
    own = {f"i2i.{backbone.name}.{name}": one for name, one in PARAMETERS[backbone].items()}
    by_mass = fuse.mode == "soft" and fuse.soft_weight_scale == "auto"
    weights = FUSION.get(variant.fusion.synthetic, {}) if by_mass else {}
    return own | weights | INDEX
