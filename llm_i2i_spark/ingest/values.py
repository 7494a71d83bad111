"""From the types of a raw table to those of the contract, as Spark column expressions. No cast maps
two ids to one.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegralType,
    NumericType,
    StringType,
    TimestampNTZType,
    TimestampType,
)

from llm_i2i_spark.base.errors import InputDataError

PATH_SEPARATOR = " > "
_WHITESPACE = r"[\s\p{Z}]+"
_HIGH, _LOW = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
# An even number of backslashes before it is escaped backslashes.
_UNESCAPED = r"(?<!\\)(?:\\\\)*"
_LONE_SURROGATE = rf"{_UNESCAPED}{_HIGH}(?!{_LOW})|(?<!{_HIGH}){_UNESCAPED}{_LOW}"
# Control, format, private and surrogate characters; the joiners U+200C and U+200D belong to scripts
# and emoji and stay.
_INVISIBLE = r"[\p{Cc}\p{Co}\p{Cs}[\p{Cf}&&[^\x{200C}\x{200D}]]]"


def id_text(column: Column, kind: DataType, name: str) -> Column:
    """An id as text, exactly: `"007"` stays `"007"`, the integer 7 is `"7"`, the float 7.0 is
    `"7"`, 7.5 and NaN are null.

    Floats are ids only below 2^53 (2^24 for 32 bits), from where on they cannot represent every
    whole number.

    Args:
        column: the raw column.
        kind: its type.
        name: of the raw column, for the message.

    Raises:
        InputDataError: the column's type cannot hold ids.
    """
    if isinstance(kind, (StringType, IntegralType)):
        return column.cast("string")
    if isinstance(kind, DecimalType):
        return F.when(column % 1 == 0, column.cast(f"decimal({kind.precision},0)").cast("string"))
    if isinstance(kind, (FloatType, DoubleType)):
        limit = float(2**24 if isinstance(kind, FloatType) else 2**53)
        exact = (F.abs(column) < limit) & (column % 1 == 0)
        return F.when(exact, column.try_cast("bigint").cast("string"))
    raise InputDataError(
        f"Ids must be text or whole numbers, and column {name} is {kind.simpleString()}; map"
        " another column in ingest.columns."
    )


def number_of(column: Column, kind: DataType, name: str) -> Column:
    """A number, integers as bigint and all else as double; null where the value is not one (other
    text, NaN, infinity).

    Raises:
        InputDataError: the column's type cannot hold numbers.
    """
    if isinstance(kind, IntegralType):
        return column.cast("bigint")
    if isinstance(kind, (NumericType, StringType)):
        number = column.try_cast("double")
        return F.when(F.abs(number) < float("inf"), number)
    raise InputDataError(
        f"Column {name} must hold numbers and is {kind.simpleString()}; map another in"
        " ingest.columns, or none."
    )


def text_of(column: Column, kind: DataType, name: str) -> Column:
    """Text as it is, null where it is blank. A list is joined to a path; of a list of paths, the
    first counts.

    Raises:
        InputDataError: the column is a struct, map or binary.
    """
    if isinstance(kind, ArrayType) and isinstance(kind.elementType, ArrayType):
        return text_of(F.try_element_at(column, F.lit(1)), kind.elementType, name)
    if isinstance(kind, ArrayType) and isinstance(kind.elementType, StringType):
        text = F.array_join(F.filter(column, lambda part: F.trim(part) != ""), PATH_SEPARATOR)
    elif is_simple(kind):
        text = column.cast("string")
    else:
        raise InputDataError(
            f"Column {name} must hold text or lists of text and is {kind.simpleString()}; map"
            " another in ingest.columns, or none."
        )
    return F.when(~is_blank(text), text)


def is_simple(kind: DataType) -> bool:
    """Whether values of a type read well as text: strings, numbers, booleans, dates and times."""
    return isinstance(
        kind, (StringType, NumericType, BooleanType, DateType, TimestampType, TimestampNTZType)
    )


def is_blank(text: Column) -> Column:
    """Whether text has nothing but whitespace of any script."""
    return text.rlike(r"^[\s\p{Z}]*$")


def is_garbled(text: Column) -> Column:
    """Whether text was not UTF-8 where it came from: invalid bytes, or the replacement character
    that a decoder puts in their place, by which different ids become one.
    """
    return ~F.is_valid_utf8(text) | text.contains("\ufffd")


def has_lone_surrogate(text: Column, line: Column) -> Column:
    """Whether text stands for half a character: JSON can escape one half of a surrogate pair alone,
    and Spark reads `?` for it, by which different ids become one.

    Args:
        text: as it was read.
        line: the line of JSON that it was read from; null elsewhere.
    """
    return text.contains("?") & F.coalesce(line.rlike(_LONE_SURROGATE), F.lit(False))


def is_json(text: Column) -> Column:
    """Whether text is a JSON object or array: what a field that sometimes holds one is read as."""
    return text.rlike(r"^\s*[{\[]") & F.get_json_object(text, "$").isNotNull()


def prompt_text(text: Column, max_chars: int) -> Column:
    """Text as a prompt may show it: whitespace folded to single blanks, invisible characters
    removed, cut to a length.

    Args:
        text: a column of strings.
        max_chars: Unicode code points that are kept, from the start.

    Returns:
        The text, null where nothing is left of it.
    """
    folded = F.regexp_replace(F.regexp_replace(text, _WHITESPACE, " "), _INVISIBLE, "")
    cut = F.trim(F.substring(F.trim(folded), 1, max_chars))
    return F.when(cut != "", cut)
