"""The variants: what an index can be made from, each a name, a fusion rule and changed settings.

`real` is the baseline, `llm_i2i` the method, `llm_cf` a rival method on the same generator, the
others the method without one of its parts. Adding one is adding a line to `VARIANTS`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from llm_i2i_spark.base.errors import ConfigError

VARIANT_RULE = "fusion."
"""What the keys of a variant's rule begin with, among the settings of a result."""

BASE_BRANCH = "base"
SERVED = "_served"
SERVED_SETTINGS: Mapping[str, Any] = {"split.protocol": "all"}
HELD_BACK = "_held_back"
HELD_BACK_SETTINGS: Mapping[str, Any] = {"split.hold_back": 1}
TRAINING_STAGES = ("export", "sft", "combine")
"""Stages that a served variant does not repeat: it keeps the models of the variant it serves."""


@dataclass(frozen=True)
class Fusion:
    """Which interactions a variant is made of.

    Attributes:
        real: `all`, without those that `fuse.drop_real_below` refuses; or `yes`, those that the
            discriminator answers with Yes.
        synthetic: `none`; `confidence`, by calibrated confidence and `fuse.mode`; `generator`, by
            the generator's own probability; `yes`, those that the discriminator answers with Yes;
            `retrieved`, by the share of the votes of similar users' steps.
    """

    real: Literal["all", "yes"] = "all"
    synthetic: Literal["none", "confidence", "generator", "yes", "retrieved"] = "none"

    @property
    def reads(self) -> tuple[str, ...]:
        """The tables of the model stages that the rule needs."""
        judged = self.real == "yes" or self.synthetic in ("confidence", "generator", "yes")
        return (
            *(("scored",) if judged else ()),
            *(("candidates",) if self.synthetic == "generator" else ()),
            *(("retrieved",) if self.synthetic == "retrieved" else ()),
        )


@dataclass(frozen=True)
class Variant:
    """What an index is made from.

    Attributes:
        name: as in the tables and on the command line.
        title: as reports call it.
        fusion: which interactions.
        settings: options that differ from the run's own, by dotted key.
        served: made from all interactions, held-out ones included, to be served.
        held_back: made without the last interaction of each user that the others see. What a
            backbone is trained to predict is then unseen by all that it is trained on.
    """

    name: str
    title: str
    fusion: Fusion
    settings: Mapping[str, Any] = field(default_factory=dict)
    served: bool = False
    held_back: bool = False

    @property
    def needs_models(self) -> bool:
        """Whether a language model has a part in it."""
        return bool(self.fusion.reads)

    @property
    def has_synthetic(self) -> bool:
        """Whether interactions that nobody made have a part in it."""
        return self.fusion.synthetic != "none"

    @property
    def training_branch(self) -> str:
        """The branch whose checkpoints it uses."""
        if self.settings:
            return self.name.removesuffix(SERVED)
        return BASE_BRANCH + (HELD_BACK if self.held_back else "")

    @property
    def branch(self) -> str:
        """The branch of the model stages after training."""
        return self.training_branch + SERVED if self.served else self.training_branch

    def branch_in(self, stage: str) -> str:
        """The branch of the model stages that a stage works on for this variant."""
        return self.training_branch if stage in TRAINING_STAGES else self.branch

    def name_in(self, stage: str) -> str:
        """The variant whose result a stage makes for this one."""
        return self.name.removesuffix(SERVED) if stage in TRAINING_STAGES else self.name

    def settings_in(self, stage: str) -> dict[str, Any]:
        """The options that differ in a stage, by dotted key."""
        as_served = self.served and stage not in TRAINING_STAGES
        return {
            **self.settings,
            **(SERVED_SETTINGS if as_served else {}),
            **(HELD_BACK_SETTINGS if self.held_back else {}),
        }

    @property
    def ingredients(self) -> dict[str, str]:
        """The fusion rule as a fingerprint knows it."""
        rule = {"real": self.fusion.real, "synthetic": self.fusion.synthetic}
        return {VARIANT_RULE + key: value for key, value in rule.items()}

    def as_served(self) -> Variant:
        """The same made from all interactions; models and settings stay."""
        title = f"{self.title}, from all interactions"
        return replace(self, name=self.name + SERVED, title=title, served=True)

    def as_trained(self) -> Variant:
        """The variant that a served one serves; any other is itself."""
        return find_variant(self.name.removesuffix(SERVED)) if self.served else self

    def as_held_back(self) -> Variant:
        """The same without the last interaction of each user, for training on those."""
        trained = self.as_trained()
        title = f"{trained.title}, without each user's last interaction"
        return replace(trained, name=trained.name + HELD_BACK, title=title, held_back=True)


REAL = Variant("real", "Real interactions alone", Fusion())
LLM_I2I = Variant("llm_i2i", "LLM-I2I", Fusion(synthetic="confidence"))
VARIANTS = (
    REAL,
    LLM_I2I,
    Variant("llm_cf", "LLM-CF", Fusion(synthetic="retrieved")),
    Variant("no_generator", "without the generator", Fusion(real="yes")),
    Variant("no_discriminator", "without the discriminator", Fusion(synthetic="generator")),
    Variant("no_threshold", "without the threshold", Fusion(synthetic="yes")),
    Variant(
        "no_long_tail_loss",
        "without the long-tail loss",
        Fusion(synthetic="confidence"),
        {"sft.alpha": 1.0, "sft.beta": 1.0},
    ),
)
"""Every variant that can be asked for, in the order of tables and reports."""

DEFAULT_VARIANTS = (REAL.name, LLM_I2I.name)


def find_variant(name: str) -> Variant:
    """A variant by name; `<variant>_served` is the one made from all interactions.

    Raises:
        ConfigError: there is none of this name.
    """
    for variant in VARIANTS:
        if name == variant.name:
            return variant
        if name == variant.name + SERVED:
            return variant.as_served()
        if name == variant.name + HELD_BACK:
            return variant.as_held_back()
    known = [variant.name for variant in VARIANTS]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise ConfigError(f"There is no variant {name}{hint}; the variants are {', '.join(known)}.")


def find_variants(names: Iterable[str]) -> tuple[Variant, ...]:
    """Variants by name, each once, in the order given.

    Raises:
        ConfigError: a name is unknown, or there is none.
    """
    found = tuple(find_variant(name) for name in dict.fromkeys(names))
    if not found:
        known = ", ".join(variant.name for variant in VARIANTS)
        raise ConfigError(f"Name at least one variant; the variants are {known}.")
    return found
