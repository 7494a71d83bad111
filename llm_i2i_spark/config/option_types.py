"""The types of the options, by the keys that a person writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from llm_i2i_spark.base.sections.ingest import PerTable


def option_types(kind: Any) -> dict[str, Any]:
    """Key -> type of the options of a section; empty where the type is no section."""
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return {}
    return {field.alias or name: field.annotation for name, field in kind.model_fields.items()}


def is_per_table(kind: Any) -> bool:
    """Whether a type is a section that holds one option for each raw table."""
    return isinstance(kind, type) and issubclass(kind, PerTable)


def with_tables_apart(values: Mapping[str, Any], kind: Any) -> dict[str, Any]:
    """Settings in which a value for both raw tables stands under each of them, so that a later
    setting can replace that of one table.

    Args:
        values: nested settings.
        kind: the section that they are of.
    """
    types = option_types(kind)
    apart = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            value = with_tables_apart(value, types.get(key))
        elif is_per_table(types.get(key)):
            value = dict.fromkeys(option_types(types[key]), value)
        apart[key] = value
    return apart
