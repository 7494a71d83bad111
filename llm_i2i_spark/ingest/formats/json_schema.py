"""The fields of JSON objects, found by one pass of Spark over all of them; every simple value is
text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import InputDataError

MAX_FIELDS = 2000
_TOKEN = re.compile(r"`(?:[^`]|``)*`|[A-Za-z_]\w*|\d+|[<>(),:]")


def json_fields(values: DataFrame, path: str) -> str:
    """DDL of the fields that the objects in the column `value` have; empty where none has any.

    Fields that are an object here and a number there are text: the JSON itself.

    Args:
        values: the objects as text.
        path: of the table, for messages.

    Raises:
        InputDataError: there are so many fields that they must be rows.
    """
    objects = values.where(F.ltrim("value").startswith("{"))
    found = objects.agg(F.expr("schema_of_variant_agg(try_parse_json(value))")).collect()
    shown: str = found[0][0] or ""
    fields = _Reader(_TOKEN.findall(shown)).fields() if shown.startswith("OBJECT<") else []
    if len(fields) > MAX_FIELDS:
        raise InputDataError(
            f"{path} is JSON with {len(fields):,} fields, such as {fields[0][0]}: write an object"
            " for each row, as DataFrame.to_json(path, orient='records', lines=True) does."
        )
    return ", ".join(f"{name} {kind}" for name, kind in fields)


@dataclass
class _Reader:
    """Reads `OBJECT<a: BIGINT, b: ARRAY<STRING>>`, as Spark shows the type of a variant."""

    tokens: list[str]

    def fields(self) -> list[tuple[str, str]]:
        """Name and type in DDL of the fields of the outermost object."""
        self._take(2)
        return self._fields()

    def _fields(self) -> list[tuple[str, str]]:
        found = []
        while self.tokens and self.tokens[0] != ">":
            name = self._take()
            self._take()
            found.append((name if name.startswith("`") else f"`{name}`", self._type()))
            if self.tokens and self.tokens[0] == ",":
                self._take()
        self._take()
        return found

    def _type(self) -> str:
        name = self._take()
        if name == "OBJECT" and self.tokens[:1] == ["<"]:
            self._take()
            inner = self._fields()
            return (
                f"struct<{', '.join(f'{key}: {kind}' for key, kind in inner)}>"
                if inner
                else "string"
            )
        if name == "ARRAY" and self.tokens[:1] == ["<"]:
            self._take()
            inner_type = self._type()
            self._take()
            return f"array<{inner_type}>"
        if self.tokens[:1] == ["("]:
            while self._take() != ")":
                pass
        return "string"

    def _take(self, count: int = 1) -> str:
        taken = self.tokens[:count]
        del self.tokens[:count]
        return taken[-1] if taken else ""
