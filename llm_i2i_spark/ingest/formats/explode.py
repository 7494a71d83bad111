"""Rows whose clicks are a list: one row an element (`ingest.explode`), and objects inside rows as
columns with a dot.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, StringType, StructType

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.ingest.formats.base import INTERNAL, LINE, MALFORMED, quoted_name

POSITION = "pos"
_AROUND = r"^[\s'\"]+|[\s'\"]+$"


def explode_rows(frame: DataFrame, option: str, *, path: str, table: str) -> DataFrame:
    """A row for every element of a list.

    A list of objects gives a column for each of their fields, which takes the place of a column of
    the same name; a list of ids, or text of ids with a separator between them, gives the column of
    the list's own name. The place in the list, from 0, becomes `pos`, unless there is a column of
    that name. Rows with an empty list are no click and go; those that could not be parsed stay.

    Args:
        frame: a raw table.
        option: `COLUMN`, or `COLUMN:SEPARATOR` for text with another separator than blanks.
        path: of the table, for messages.
        table: `interactions` or `items`.

    Raises:
        ConfigError: there is no such column, or it holds no list.
    """
    name, _, separator = option.partition(":")
    kinds = {one.name: one.dataType for one in frame.schema.fields}
    if name not in kinds:
        shown = ", ".join(column for column in frame.columns if column not in INTERNAL)
        raise ConfigError(
            f"ingest.explode.{table} names {name!r}, which is not a column of {path}; it has"
            f" {shown}."
        )
    kind, column = kinds[name], F.col(quoted_name(name))
    if isinstance(kind, StringType):
        column, kind = split_list(column, separator), ArrayType(StringType())
    if not isinstance(kind, ArrayType):
        raise ConfigError(
            f"ingest.explode.{table} names {name!r}, which is {kind.simpleString()} in {path}; name"
            " a list, or text with ids between separators."
        )
    element = kind.elementType
    inner = element.names if isinstance(element, StructType) else [name]
    kept = [one for one in frame.columns if one not in {*inner, name, LINE}]
    has_position = POSITION in {*kept, *inner}
    # Rows that could not be parsed have no list, and must stay to be quarantined.
    bad = F.col(MALFORMED).isNotNull()
    rows = frame.where(bad | (F.size(column) > 0)).select(
        *(F.col(quoted_name(one)) for one in kept),
        F.posexplode_outer(F.when(~bad, column)).alias("_place", "_element"),
    )
    fields = [
        F.col(f"_element.{quoted_name(one)}" if isinstance(element, StructType) else "_element")
        for one in inner
    ]
    place = [] if has_position else [F.col("_place").cast("string").alias(POSITION)]
    return rows.select(
        *(F.col(quoted_name(one)) for one in kept),
        *(one.alias(label) for one, label in zip(fields, inner, strict=True)),
        *place,
    )


def split_list(text: Column, separator: str) -> Column:
    """The ids in a text such as `N1 N2`, or `['N1', 'N2']`."""
    bracketed = text.rlike(r"^\s*\[.*\]\s*$")
    inner = F.regexp_replace(text, r"^\s*\[|\]\s*$", "")
    listed = F.transform(F.split(inner, ","), lambda one: F.regexp_replace(one, _AROUND, ""))
    pattern = r"\Q" + separator + r"\E" if separator else r"[ \t]+"
    plain = F.transform(F.split(text, pattern), lambda one: F.trim(one))
    return F.filter(F.when(bracketed, listed).otherwise(plain), lambda one: one != "")


def flatten_objects(frame: DataFrame) -> DataFrame:
    """Objects inside rows as columns of their own, such as `user.id`."""
    if not any(isinstance(one.dataType, StructType) for one in frame.schema.fields):
        return frame
    return frame.select(
        *(
            leaf
            for one in frame.schema.fields
            for leaf in _leaves(F.col(quoted_name(one.name)), one.name, one.dataType)
        )
    )


def _leaves(column: Column, name: str, kind: DataType) -> list[Column]:
    if not isinstance(kind, StructType):
        return [column.alias(name)]
    return [
        leaf
        for one in kind.fields
        for leaf in _leaves(column.getField(one.name), f"{name}.{one.name}", one.dataType)
    ]
