"""From YAML files and `--set key=value` to a checked `Config`, and back to YAML; what is wrong
becomes one sentence with the nearest key.
"""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path, PurePath
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.redaction import MASK, redact_value
from llm_i2i_spark.config.aliases import apply_aliases
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.option_types import with_tables_apart
from llm_i2i_spark.config.setting import nested, parse_setting
from llm_i2i_spark.config.yaml_text import read_yaml


def load_config(
    paths: Iterable[str | Path] = (),
    settings: Iterable[str] = (),
    base: Config | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Config:
    """Read YAML files in order, later ones on top, then apply settings.

    Args:
        paths: YAML files; `extends: other.yaml` in a file loads that one (relative to it) first.
        settings: such as `sft.alpha=4`; the value is read by the type of its option.
        base: a configuration below all of it.
        overrides: dotted key -> value, on top of all of it.

    Raises:
        ConfigError: a file is missing or not YAML, a key is unknown, a value does not fit.
    """
    merged: dict[str, Any] = base.model_dump(by_alias=True, exclude_unset=True) if base else {}
    for path in paths:
        _merge(merged, _read_file(Path(path)))
    for setting in settings:
        _merge(merged, parse_setting(setting))
    for key, value in (overrides or {}).items():
        _merge(merged, nested(tuple(key.split(".")), _text_of(value)))
    _check_texts(merged)
    try:
        return Config.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(_explain(error)) from None


def known_keys(model: type[BaseModel] = Config, prefix: str = "") -> list[str]:
    """Every key of the configuration, dotted, as `--set` takes it."""
    keys: list[str] = []
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            keys += known_keys(inner, key + ".")
        else:
            keys.append(key)
    return keys


def commented_yaml(config: BaseModel) -> str:
    """Every option with its value as YAML that `load_config` reads, what it is for above it as a
    comment.
    """
    return "\n".join(_commented_lines(config)) + "\n"


def _commented_lines(model: BaseModel, indent: str = "") -> Iterator[str]:
    values = model.model_dump(mode="json", by_alias=True)
    for name, field in type(model).model_fields.items():
        key, value = field.alias or name, getattr(model, name)
        if isinstance(value, BaseModel):
            yield from () if indent else ("",)
            yield from _comment((type(value).__doc__ or "").partition("\n\n")[0], indent)
            yield f"{indent}{key}:" if values[key] else f"{indent}{key}: {{}}"
            yield from _commented_lines(value, indent + "  ")
        else:
            yield from _comment(_field_comment(field), indent)
            text = yaml.safe_dump({key: values[key]}, sort_keys=False, allow_unicode=True)
            yield from textwrap.indent(text.rstrip(), indent).splitlines()


def _field_comment(field: FieldInfo) -> str:
    choices = [
        str(choice)
        for part in (field.annotation, *get_args(field.annotation))
        if get_origin(part) is Literal
        for choice in get_args(part)
    ]
    listed = f"one of {', '.join(choices)}" if choices else ""
    return "; ".join(part for part in (field.description, listed) if part)


def _comment(text: str, indent: str) -> list[str]:
    prefix = f"{indent}# "
    words = " ".join(text.split())
    return textwrap.wrap(words, 100, initial_indent=prefix, subsequent_indent=prefix)


def _read_file(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The settings of a file, over those of the file that it extends.

    Args:
        path: the file.
        above: the files that extend it, resolved, the first one first.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not there"
        raise ConfigError(
            f"There is no configuration file {path} (it {what}); `llm-i2i config > my.yaml` writes"
            " one with every option to start from."
        )
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ConfigError(f"{path} is not valid YAML ({error}); mend it there.") from None
    content = {} if content is None else content
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path} must hold sections such as `lake:` and `ingest:`, and holds a"
            f" {type(content).__name__}."
        )
    base = content.pop("extends", None)
    merged = {} if base is None else _read_base(path, base, (*above, path.resolve()))
    _merge(merged, content)
    return merged


def _read_base(path: Path, base: object, above: tuple[Path, ...]) -> dict[str, Any]:
    if not isinstance(base, str):
        raise ConfigError(f"`extends` in {path} must name one other file, and is {base!r}.")
    other = path.parent / base
    if other.resolve() in above:
        circle = " -> ".join(one.name for one in (*above, other))
        raise ConfigError(f"`extends` in {path} goes in a circle ({circle}); remove one of them.")
    return _read_file(other, above)


def _merge(target: dict[str, Any], layer: Mapping[str, Any]) -> None:
    """Put a layer of settings on top of those that are there."""
    _update(target, with_tables_apart(apply_aliases(dict(layer)), Config))


def _update(target: dict[str, Any], source: Mapping[str, Any]) -> None:
    for key, value in source.items():
        if isinstance(value, Mapping) and isinstance(target.get(key), dict):
            _update(target[key], value)
        else:
            target[key] = dict(value) if isinstance(value, Mapping) else value


def _text_of(value: Any) -> Any:
    """A date or a path as text, as a file would hold it."""
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, PurePath) else value


def _check_texts(values: Mapping[str, Any], prefix: str = "") -> None:
    """Refuse text that neither a file system nor a table can hold.

    Raises:
        ConfigError: a text has a NUL character, or bytes that are not UTF-8.
    """
    for name, value in values.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping):
            _check_texts(value, f"{key}.")
        for text in (name, value):
            if isinstance(text, str) and ("\0" in text or not _is_unicode(text)):
                what = "a NUL character" if "\0" in text else "bytes that are not UTF-8"
                shown = redact_value(key, text)
                raise ConfigError(f"{ascii(key)[1:-1]} holds {what} ({shown!a}); leave it out.")
            if prefix == "spark.conf." and text == MASK:
                raise ConfigError(f"The value of {key} is masked ({MASK}); put the real one there.")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _explain(error: ValidationError) -> str:
    problem, *others = error.errors()
    key = full = ".".join(str(part) for part in problem["loc"])
    option = ".".join(str(part) for part in problem["loc"][:-1])
    alternatives = ""
    if key not in known_keys() and option in known_keys():  # an option of several types
        key = option
        alternatives = "".join(
            other["msg"].replace("Input should be", " or", 1)
            for other in others
            if other["loc"][:-1] == problem["loc"][:-1]
        )
    if problem["type"] == "extra_forbidden":
        known = known_keys()
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.4) or difflib.get_close_matches(
            key.split(".")[-1], [k.split(".")[-1] for k in known], n=1
        )
        hint = f"; did you mean {near[0]}?" if near else "; `llm-i2i config` prints all keys."
        return f"There is no option {key}{hint}"
    message = problem["msg"].removeprefix("Value error, ").partition(", unable to parse")[0]
    given = f"(got {redact_value(full, problem['input'])!r:.200})"
    return f"{key}: {message}{alternatives} {given}." if key else f"{message}."
