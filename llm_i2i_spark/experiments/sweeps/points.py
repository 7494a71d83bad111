"""What a sweep goes through: values of an option, or the points of a preset."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.config.config import RUNTIME_KEYS
from llm_i2i_spark.config.files import known_keys
from llm_i2i_spark.config.setting import parse_setting
from llm_i2i_spark.experiments.experiment_lake import VALIDATION

NO_RESULT = ("lake.", "spark.")
"""Sections whose options cannot change a result."""


@dataclass(frozen=True)
class SweepPoint:
    """One value.

    Attributes:
        value: as tables and plots show it.
        settings: the options of it, by dotted key.
        series: the line of the plot that it belongs to; empty where there is one line.
    """

    value: str
    settings: Mapping[str, Any]
    series: str = ""

    @property
    def name(self) -> str:
        """The value with its series."""
        return f"{self.series}, {self.value}" if self.series else self.value


@dataclass(frozen=True)
class SweepPoints:
    """Everything that a sweep goes through.

    Attributes:
        name: for files and messages.
        title: what is asked, in words.
        axis: what the values are.
        points: in the order of the tables.
        question: what the sweep is to show, and how its values are to be read; may be empty.
    """

    name: str
    title: str
    axis: str
    points: tuple[SweepPoint, ...] = field(repr=False)
    question: str = ""


def points_of(key: str, values: Sequence[Any]) -> SweepPoints:
    """The points of one option.

    Args:
        key: of the option, dotted.
        values: each once.

    Raises:
        ConfigError: there is no such option, it cannot change a result, the sweep sets it itself,
            or there is no value.
    """
    if key not in known_keys():
        near = difflib.get_close_matches(key, known_keys(), n=1)
        hint = f"; did you mean {near[0]}?" if near else "; `llm-i2i config` prints all keys."
        raise ConfigError(f"There is no option {key} to sweep{hint}")
    if key in RUNTIME_KEYS or key.startswith(NO_RESULT):
        raise ConfigError(
            f"{key} cannot change a result, so there is nothing to sweep; name another option."
        )
    if key in VALIDATION:
        raise ConfigError(
            f"A sweep sets {key} itself, so that nothing is chosen on the test fold; leave it out,"
            " or give --target test to evaluate there."
        )
    points = {str(value): SweepPoint(str(value), {key: value}) for value in values}
    if not points:
        raise ConfigError(f"Name the values of {key}, such as {key}=1,2,4.")
    return SweepPoints(key, f"Sweep of {key}", key, tuple(points.values()))


def read_points(text: str) -> SweepPoints:
    """The points of `key=value,value,...`, the values read by the type of the option.

    Args:
        text: such as `sft.alpha=1,2,4` or `fuse.band=[0,0.5],[0.5,1]`.

    Raises:
        ConfigError: it is not of this form, or as in `points_of`.
    """
    key, separator, listed = text.partition("=")
    if not separator:
        raise ConfigError(
            f"A sweep wants KEY=VALUE,VALUE,... such as sft.alpha=1,2,4, and got {text!r}; its"
            " presets are named with --preset."
        )
    key = key.strip()
    return points_of(key, [_value_of(key, value) for value in split_values(listed)])


def split_values(text: str) -> list[str]:
    """A list of values, parted at commas outside of brackets.

    >>> split_values("1, 2,[0, 0.5],[0.5, 1]")
    ['1', '2', '[0, 0.5]', '[0.5, 1]']
    """
    values, depth = [""], 0
    for letter in text:
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and not depth:
            values.append("")
        else:
            values[-1] += letter
    return [value.strip() for value in values if value.strip()]


def _value_of(key: str, text: str) -> Any:
    value: Any = parse_setting(f"{key}={text}")
    while isinstance(value, dict) and len(value) == 1 and key:
        part, _, key = key.partition(".")
        value = value[part]
    return value
