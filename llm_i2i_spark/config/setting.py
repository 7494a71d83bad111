"""One `--set key=value`: the text is read by the type of its option.

Text is taken as it stands, numbers and yes-or-no values are what they say, and only lists and
mappings are YAML.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.redaction import redact_value
from llm_i2i_spark.config.aliases import RENAMED
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.option_types import is_per_table, option_types
from llm_i2i_spark.config.yaml_text import read_yaml

NOTHING = ("", "null", "none")
"""What stands for no value in an option that may have none."""


def parse_setting(setting: str) -> dict[str, Any]:
    """Nested values of one setting, such as `{"sft": {"alpha": "4"}}`.

    Args:
        setting: `key=value`.

    Raises:
        ConfigError: there is no `=`, or a list or mapping is not YAML.
    """
    key, separator, text = setting.partition("=")
    key = key.strip()
    if not separator or not key:
        raise ConfigError(f"--set wants key=value, such as sft.alpha=4, and got {setting!r}.")
    path, kind = _find_option(RENAMED.get(key, key))
    try:
        return nested(path, _read(text, tuple(_alternatives(kind))))
    except ValueError as error:
        raise ConfigError(
            f"The value of --set {key} is no YAML list or mapping ({error}):"
            f" {redact_value(key, text[:200])!r}; quote"
            " its texts as YAML would."
        ) from None


def nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Nested mappings of one key each, with a value in the innermost."""
    for part in reversed(path):
        value = {part: value}
    return dict(value)


def _find_option(key: str) -> tuple[tuple[str, ...], Any]:
    """The path of a dotted key, and its type; text where there is no such option, so that the key
    is what the person reads about.

    What follows an option that is a dictionary is one key of it, dots and all: `spark.conf.a.b`.
    """
    kind: Any = Config
    parts = tuple(key.split("."))
    for depth, part in enumerate(parts):
        if get_origin(kind) is dict:
            return (*parts[:depth], ".".join(parts[depth:])), get_args(kind)[1]
        fields = option_types(kind)
        if part not in fields:
            return parts, str
        kind = fields[part]
    return parts, kind


def _alternatives(kind: Any) -> Iterator[Any]:
    """The types that a value may have: the parts of a union, and beside a section of one option for
    each raw table those of the option.
    """
    if get_origin(kind) in (Union, UnionType):
        for part in get_args(kind):
            yield from _alternatives(part)
        return
    yield get_origin(kind) or kind
    if is_per_table(kind):
        yield from _alternatives(next(iter(kind.model_fields.values())).annotation)


def _read(text: str, kinds: tuple[Any, ...]) -> Any:
    """A value of one of some types; scalars stay text, which the configuration converts.

    Raises:
        ValueError: a list or a mapping is wanted, and the text is not YAML.
    """
    simple = [kind for kind in kinds if not _is_structure(kind)]
    if len(simple) < len(kinds) and (not simple or text.lstrip()[:1] in ("[", "{")):
        return read_yaml(text)
    if type(None) in kinds and text.strip().lower() in NOTHING:
        return None
    text = text if str in kinds else text.strip()
    return _unquoted(text) if text[:1] in ("'", '"') else text


def _unquoted(text: str) -> str:
    """The text between quotes, as YAML reads it; the whole where the quotes are part of it."""
    try:
        inner = read_yaml(text)
    except ValueError:
        return text
    return inner if isinstance(inner, str) else text


def _is_structure(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, (list, tuple, dict, set, BaseModel))
