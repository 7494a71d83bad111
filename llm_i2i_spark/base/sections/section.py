"""What every section of the configuration is: a frozen model that refuses keys it does not know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict

from llm_i2i_spark.base.redaction import redact_value

RUNTIME: dict[str, Any] = {"changes_result": False}
"""`json_schema_extra` of an option that can change time or memory, but no row."""


class Section(BaseModel):
    """A frozen group of options that refuses keys it does not know, and numbers that are none."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False
    )

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """The options as `repr` shows them, in notebooks and failed assertions: without secrets."""
        for name, value in super().__repr_args__():
            shown = (
                value if name is None or isinstance(value, BaseModel) else redact_value(name, value)
            )
            yield name, shown


AnySection = TypeVar("AnySection", bound=Section)


def with_defaults(section: AnySection, values: Mapping[str, Any]) -> AnySection:
    """A copy with other values for some options, which do not count as given.

    Args:
        section: whose options.
        values: by name of the field.
    """
    fields = {**dict(section), **values}
    return cast(AnySection, type(section).model_construct(section.model_fields_set, **fields))


def runtime_options(model: type[BaseModel], prefix: str = "") -> set[str]:
    """The dotted keys of a model that are marked `RUNTIME`.

    Args:
        model: a section, or the whole configuration.
        prefix: what stands before each key, with its dot.
    """
    keys: set[str] = set()
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys |= runtime_options(field.annotation, key + ".")
        if field.json_schema_extra == RUNTIME:
            keys.add(key)
    return keys
