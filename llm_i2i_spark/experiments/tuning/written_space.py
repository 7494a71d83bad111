"""A search space as a person writes it: in Python, on the command line, in a YAML file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llm_i2i_spark.backbones.search_space import Choice, Domain, Range
from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.config.yaml_text import read_yaml

NUMBER = r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*"
RANGE = re.compile(f"^{NUMBER}:{NUMBER}(:\\s*log\\s*)?$")
FORMS = "low:high, low:high:log, or values with commas between them"


def read_domain(key: str, written: Any) -> Domain:
    """The values that a person gives to an option.

    >>> read_domain("i2i.swing.b", "0:1"), read_domain("i2i.swing.a1", [1, 20, "log"])
    (Range(low=0.0, high=1.0, log=False), Range(low=1.0, high=20.0, log=True))
    >>> read_domain("index.normalize", "none,row"), read_domain("index.size", {100, 200})
    (Choice(values=('none', 'row')), Choice(values=(100, 200)))

    Args:
        key: of the option, for the message.
        written: text `low:high`, `low:high:log` or `a,b,c`; a list or tuple of two numbers, with
            the word `log` behind them or not, is a range, any other one, and every set, a choice.

    Raises:
        ConfigError: it is none of these.
    """
    if isinstance(written, (Range, Choice)):
        return written
    if isinstance(written, str):
        matched = RANGE.match(written)
        if matched:
            return Range(float(matched[1]), float(matched[2]), matched[3] is not None)
        written = [part.strip() for part in written.split(",") if part.strip()]
    elif isinstance(written, (set, frozenset)):
        return Choice(tuple(sorted(written, key=lambda value: (str(type(value)), value))))
    elif isinstance(written, Sequence):
        found = _range_of(written)
        if found is not None:
            return found
    else:
        raise ConfigError(f"{key} is to be searched over {written!r}; write {FORMS}.")
    return Choice(tuple(dict.fromkeys(map(_hashable, written))))


def read_spaces(texts: Sequence[str]) -> dict[str, Any]:
    """The search space of some `--space`, later ones on top.

    Args:
        texts: each `key=low:high`, `key=low:high:log`, `key=a,b,c`, or the path of a YAML file.

    Raises:
        ConfigError: a file is not there or holds something else.
    """
    space: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if equals and key.strip():
            space[key.strip()] = value
        else:
            space |= read_space_file(text)
    return space


def read_space_file(path: str | Path) -> dict[str, Any]:
    """The search space of a YAML file: dotted keys, or sections as in a configuration.

    Args:
        path: of the file.

    Raises:
        ConfigError: the file is not there, or holds no mapping.
    """
    try:
        content = read_yaml(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ConfigError(
            f"There is no search space in {path} ({reason}); write key=low:high, or name a YAML"
            " file of such keys."
        ) from None
    if not isinstance(content, Mapping):
        raise ConfigError(f"{path} must hold options and their ranges, such as i2i.swing.b: 0:1.")
    return _flat(content)


def setting_text(value: Any) -> str:
    """A value as `--set` takes it.

    >>> setting_text(0.25), setting_text(None), setting_text(True), setting_text((64, 32))
    ('0.25', 'none', 'true', '[64, 32]')
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return str(list(value)) if isinstance(value, (list, tuple)) else str(value)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def _range_of(written: Sequence[Any]) -> Range | None:
    """The range of two numbers, with `log` behind them or not; None for anything else."""
    log = len(written) == 3 and written[2] == "log"
    ends = [_number(value) for value in written[:2]]
    if len(written) != 2 + log or None in ends:
        return None
    low, high = ends
    return None if low is None or high is None else Range(low, high, log)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
