"""From YAML files and `--set key=value` to a checked `Config`, and back to YAML; what is wrong
becomes one sentence with the nearest key.
"""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.config.aliases import apply_aliases
from llm_i2i_spark.config.config import Config


def load_config(
    paths: Iterable[str | Path] = (),
    settings: Iterable[str] = (),
    base: Config | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Config:
    """Read YAML files in order, later ones on top, then apply settings.

    Args:
        paths: YAML files; `extends: other.yaml` in a file loads that one (relative to it) first.
        settings: such as `sft.alpha=4`; the value is read as YAML.
        base: a configuration below all of it.
        overrides: dotted key -> value, on top of all of it.

    Raises:
        ConfigError: a file is missing or not YAML, a key is unknown, a value does not fit.
    """
    merged: dict[str, Any] = base.model_dump(by_alias=True, exclude_unset=True) if base else {}
    for path in paths:
        _merge(merged, _read_yaml(Path(path)))
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator or not key:
            raise ConfigError(f"--set wants key=value, such as sft.alpha=4, and got {setting!r}.")
        _merge(merged, apply_aliases(_nested(key.strip(), _parse_value(key, value))))
    for key, value in (overrides or {}).items():
        _merge(merged, apply_aliases(_nested(key, value)))
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


def _read_yaml(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    if not path.is_file():
        raise ConfigError(
            f"There is no configuration file {path}; `llm-i2i config > {path.name}` writes one with"
            " every option to start from."
        )
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {str(error).splitlines()[0]}.") from None
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path} must hold sections such as `lake:` and `ingest:`, and holds a"
            f" {type(content).__name__}."
        )
    base = content.pop("extends", None)
    if base is not None and (not isinstance(base, str) or path in above):
        raise ConfigError(f"`extends` in {path} must name another file, and is {base!r}.")
    merged = _read_yaml(path.parent / base, (*above, path)) if base else {}
    _merge(merged, apply_aliases(content))
    return merged


def _parse_value(key: str, value: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        raise ConfigError(
            f"The value of --set {key} is not readable: {value!r}; quote it as YAML would."
        ) from None


def _nested(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def _merge(target: dict[str, Any], source: Mapping[str, Any]) -> None:
    for key, value in source.items():
        if isinstance(value, Mapping) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = dict(value) if isinstance(value, Mapping) else value


def _explain(error: ValidationError) -> str:
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = known_keys()
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.4) or difflib.get_close_matches(
            key.split(".")[-1], [k.split(".")[-1] for k in known], n=1
        )
        hint = f"; did you mean {near[0]}?" if near else "; `llm-i2i config` prints all keys."
        return f"There is no option {key}{hint}"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{key}: {message} (got {problem['input']!r})." if key else f"{message}."
