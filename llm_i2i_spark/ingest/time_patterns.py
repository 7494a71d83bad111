"""How times are written: patterns of Spark and of strptime, and which of the known ones fits some
values. No Spark.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from llm_i2i_spark.base.errors import ConfigError

WEEKDAY = r"(?i)\b(mon|tue|wed|thu|fri|sat|sun)[a-z]*\b[.,]*"
"""Names of weekdays: Spark cannot read them, and the date says as much."""

_DIRECTIVES = {
    "Y": "yyyy",
    "m": "M",
    "d": "d",
    "e": "d",
    "H": "H",
    "I": "h",
    "M": "m",
    "S": "s",
    "j": "D",
    "y": "yy",
    "b": "MMM",
    "h": "MMM",
    "B": "MMMM",
    "p": "a",
    "f": "SSSSSS",
    "z": "[XXX][XX][X]",
    "Z": "z",
    "a": "E",
    "A": "E",
    "%": "'%'",
}
_FIXED_WIDTH = {"Y": "yyyy", "m": "MM", "d": "dd", "H": "HH", "I": "hh", "M": "mm", "S": "ss"}
_FIXED_WIDTH |= {"j": "DDD", "y": "yy"}
_SHORT = {"T": "%H:%M:%S", "D": "%m/%d/%y", "F": "%Y-%m-%d", "R": "%H:%M"}
_LETTERS = frozenset("GyMLdDHhKkmsSaVzOXxZQq")
"""Those that Spark reads times by."""

_DATES = (
    *("%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d.%m.%Y", "%Y.%m.%d", "%m-%d-%Y", "%d-%m-%Y"),
    *("%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y"),
    *("%b %d, %Y", "%B %d, %Y", "%Y%m%d"),
)
_CLOCKS = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%H:%M:%S %z")
_OTHERS = (
    "%a %b %d %H:%M:%S %z %Y",
    "%a %b %d %H:%M:%S %Y",
    "%a %b %d %H:%M:%S %Z %Y",
    "%a, %d %b %Y %H:%M:%S %z",
    "%a, %d %b %Y %H:%M:%S %Z",
    "%d/%b/%Y:%H:%M:%S %z",
    "%Y%m%d%H%M%S",
    "%Y%m%dT%H%M%S",
    "%Y-%m-%d %H:%M:%S,%f",
    "%Y-%m-%d-%H.%M.%S.%f",
)
KNOWN_PATTERNS = (
    *(f"{date}{between}{clock}" for date in _DATES for clock in _CLOCKS for between in " T"),
    *_DATES,
    *_OTHERS,
)
"""Patterns of strptime that public logs have, as far as Spark does not read them by itself."""


class TimePattern(NamedTuple):
    """A pattern of Spark's without the weekday.

    Attributes:
        pattern: for `to_timestamp`; blanks are single.
        has_weekday: whether names of weekdays stand in the values.
    """

    pattern: str
    has_weekday: bool


def read_pattern(text: str) -> TimePattern:
    """The pattern that `ingest.ts_format` names: one of strptime where it has a `%`, else Spark's
    own.

    >>> read_pattern("%m/%d/%Y %I:%M:%S %p").pattern
    'M/d/yyyy h:m:s a'
    >>> read_pattern("%Y%m%d").pattern
    'yyyyMMdd'
    >>> read_pattern("EEE MMM dd HH:mm:ss Z yyyy")
    TimePattern(pattern='MMM dd HH:mm:ss Z yyyy', has_weekday=True)

    Raises:
        ConfigError: a letter stands for nothing that a time can be read by.
    """
    spark = "".join(_from_strptime(text)) if "%" in text else text
    unquoted = re.sub(r"'[^']*'", "", spark)
    unknown = sorted(set(re.findall(r"[A-Za-z]", unquoted)) - _LETTERS - {"E"})
    if unknown or not unquoted.strip():
        what = f"the letter {unknown[0]}" if unknown else "nothing that could be read"
        raise ConfigError(
            f"ingest.ts_format={text!r} has {what}; write it as Spark does, such as M/d/yyyy"
            " h:mm:ss a, with other words in single quotes, or as strptime does, such as %m/%d/%Y."
        )
    without = re.sub(r"('[^']*')|E+[.,]*", lambda found: found[1] or "", spark)
    return TimePattern(re.sub(r"\s+", " ", without).strip(), without != spark)


def fitting_patterns(values: Sequence[str]) -> list[str]:
    """Of the known patterns those by which all of some values can be read, as Spark writes them:
    several where day and month could be either way round.
    """
    cleaned = [re.sub(r"\s+", " ", value).strip() for value in values]
    fitting = [
        known for known in KNOWN_PATTERNS if cleaned and all(_fits(one, known) for one in cleaned)
    ]
    return list(dict.fromkeys("".join(_from_strptime(known)) for known in fitting))


def _fits(value: str, pattern: str) -> bool:
    try:
        moment = datetime.strptime(value, pattern)
    except ValueError:
        return False
    return 1900 <= moment.year < 2100


def _from_strptime(text: str) -> Iterator[str]:
    """The parts of Spark's pattern. Numbers that touch have a fixed width, others any."""
    for short, long in _SHORT.items():
        text = text.replace(f"%{short}", long)
    parts = re.findall(r"%[-_0]?(.)|([^%]+)", text)
    if text.rstrip("%") != text and (len(text) - len(text.rstrip("%"))) % 2:
        raise ConfigError(f"ingest.ts_format={text!r} ends with a single %; leave it out.")
    numbers = [directive in _FIXED_WIDTH for directive, _ in parts]
    for place, (directive, words) in enumerate(parts):
        touches = any(numbers[max(place - 1, 0) : place] + numbers[place + 1 : place + 2])
        if words:
            yield re.sub(r"[A-Za-z\[\]{}#']+", lambda word: _quoted(word[0]), words)
        elif directive not in _DIRECTIVES:
            raise ConfigError(
                f"ingest.ts_format={text!r} has %{directive}, which has no meaning here; use the"
                " directives of strptime, such as %Y-%m-%d %H:%M:%S."
            )
        else:
            yield _FIXED_WIDTH[directive] if touches and numbers[place] else _DIRECTIVES[directive]


def _quoted(words: str) -> str:
    return "'" + words.replace("'", "''") + "'"
