"""The search space of one study: options of the run, checked, with the values they may have."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from llm_i2i_spark.backbones import find_backbone
from llm_i2i_spark.backbones.search_space import Choice, Domain, Range, default_space
from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.stage import Stage
from llm_i2i_spark.base.variants import Variant
from llm_i2i_spark.config.aliases import RENAMED
from llm_i2i_spark.config.config import RUNTIME_KEYS, Config
from llm_i2i_spark.config.files import known_keys, load_config
from llm_i2i_spark.config.i2i import SHARED
from llm_i2i_spark.config.option_types import option_types
from llm_i2i_spark.experiments.tuning.written_space import (
    read_domain,
    read_space_file,
    setting_text,
)

FIXED = {
    "evaluate": "every trial is measured in the same way, on the validation fold alone",
    "split": "every trial is measured in the same way, on the validation fold alone",
    "ingest": "it makes the clicks that the trials are compared on",
    "lake": "it changes no result",
    "spark": "it changes no result",
    "seed": "a search for lucky numbers finds nothing that lasts",
}
"""Sections and options that no search varies, and why."""

LOOKUP = ("index.recent_items", "index.decay")
"""Options of the lookup, which the evaluation repeats."""

DIGITS = 4
"""Significant digits of a number that is tried: as many as a person would paste."""


@dataclass(frozen=True)
class SearchedOption:
    """An option and the values that a trial may give it.

    Attributes:
        key: dotted.
        domain: the values; those of a choice are typed as the configuration has them.
        whole: whether they are whole numbers.
    """

    key: str
    domain: Domain
    whole: bool = False

    def contains(self, value: Any) -> bool:
        """Whether a value is among them."""
        if isinstance(self.domain, Choice):
            return value in self.domain.values
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number and self.domain.low <= value <= self.domain.high

    def rounded(self, value: float) -> float | int:
        """A number of the range with few digits."""
        assert isinstance(self.domain, Range)
        if self.whole:
            return round(value)
        short = float(f"{value:.{DIGITS}g}")
        return min(max(short, self.domain.low), self.domain.high)

    def labels(self) -> dict[str, Any]:
        """The values of a choice by their text."""
        assert isinstance(self.domain, Choice)
        return {setting_text(value): value for value in self.domain.values}


def find_space(
    config: Config,
    variant: Variant,
    backbone: str,
    stages: tuple[Stage, ...],
    given: Mapping[str, Any] | str | Path | None = None,
) -> tuple[SearchedOption, ...]:
    """The options that a study searches, checked against what the configuration allows.

    Args:
        config: that all trials share.
        variant: what the index is made from.
        backbone: by name.
        stages: that the trials run.
        given: option -> values, see `written_space.read_domain`, or a YAML file of them; without
            it what `backbones.search_space` has. A parameter of the backbone may be named without
            its section, as `swing.b`.

    Raises:
        ConfigError: an option is unknown or not to be searched, or its values do not fit.
    """
    if given is None:
        given = default_space(find_backbone(backbone), variant, config.fuse)
    elif isinstance(given, (str, Path)):
        given = read_space_file(given)
    effective = set(_effective_keys(config, variant, backbone, stages))
    space = {}
    for written, values in given.items():
        key = _full_key(written)
        _check_key(key, backbone, variant, effective)
        space[key] = _checked(config, key, read_domain(key, values))
    if not space:
        raise ConfigError("Name at least one option to search, such as i2i.swing.b=0:1.")
    return tuple(space[key] for key in sorted(space))


def _full_key(written: str) -> str:
    """The dotted key of the configuration."""
    key = RENAMED.get(written.strip(), written.strip())
    return f"i2i.{key}" if f"i2i.{key}" in known_keys() and key not in known_keys() else key


def _effective_keys(
    config: Config, variant: Variant, backbone: str, stages: tuple[Stage, ...]
) -> Iterator[str]:
    """The options that the index of a backbone, or its evaluation, depends on."""
    for stage in stages:
        if stage.name != "fuse" or variant.needs_models:
            yield from config.settings(*(key.format(backbone=backbone) for key in stage.settings))
    yield from LOOKUP
    fields = find_backbone(backbone).model_fields
    yield from (f"i2i.{name}" for name in SHARED if name in fields)


def _check_key(key: str, backbone: str, variant: Variant, effective: set[str]) -> None:
    """Refuse an option that is unknown, fixed, or without effect.

    Raises:
        ConfigError: with the reason.
    """
    section, known = key.split(".")[0], known_keys()
    if section in FIXED:
        raise ConfigError(f"{key} cannot be searched: {FIXED[section]}; leave it out.")
    if key not in known:
        near = difflib.get_close_matches(key, sorted(effective), n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]}?" if near else "; `llm-i2i config` prints all options."
        raise ConfigError(f"There is no option {key} to search{hint}")
    if key == "i2i.backbone":
        raise ConfigError("One study searches one backbone: name it with --backbone.")
    if key in RUNTIME_KEYS:
        raise ConfigError(f"{key} cannot be searched: it changes no result; leave it out.")
    if key not in effective:
        raise ConfigError(
            f"{key} changes nothing of variant {variant.name} with backbone {backbone}; leave it"
            " out, or search another one with --variant and --backbone."
        )


def _checked(config: Config, key: str, domain: Domain) -> SearchedOption:
    if isinstance(domain, Choice):
        values = tuple(dict.fromkeys(_accepted(config, key, value) for value in domain.values))
        if len(values) < 2:
            raise ConfigError(
                f"{key} has nothing to choose between; give it several values, as"
                f" {key}=a,b,c or {key}=low:high, or set it with --set."
            )
        return SearchedOption(key, Choice(values))
    domain = Range(float(domain.low), float(domain.high), domain.log)
    kinds = set(_number_types(_type_of(key)))
    if not kinds:
        raise ConfigError(f"{key} takes no numbers: name its values, as {key}=a,b,c.")
    if not (math.isfinite(domain.low) and math.isfinite(domain.high) and domain.low < domain.high):
        raise ConfigError(f"The range {domain} of {key} is empty: its low end must be the lower.")
    whole = float not in kinds
    if whole and not (domain.low.is_integer() and domain.high.is_integer()):
        raise ConfigError(f"{key} takes whole numbers, and the ends of {domain} are none.")
    if domain.log and domain.low <= 0:
        raise ConfigError(
            f"The range {domain} of {key} has no logarithm: start above 0, or leave out log."
        )
    for end in (domain.low, domain.high):
        _accepted(config, key, int(end) if whole else end)
    return SearchedOption(key, domain, whole)


def _accepted(config: Config, key: str, value: Any) -> Any:
    """A value as the configuration has it.

    Raises:
        ConfigError: the option does not take it.
    """
    if isinstance(value, str):
        changed = load_config(settings=[f"{key}={value}"], base=config)
    else:
        changed = load_config(base=config, overrides={key: value})
    found = changed.settings(key)[key]
    return tuple(found) if isinstance(found, list) else found


def _type_of(key: str) -> Any:
    kind: Any = Config
    for part in key.split("."):
        kind = option_types(kind)[part]
    return kind


def _number_types(kind: Any) -> Iterator[type]:
    """`int` and `float`, as far as a type allows them."""
    if kind in (int, float):
        yield kind
    for part in get_args(kind):
        yield from _number_types(part)
