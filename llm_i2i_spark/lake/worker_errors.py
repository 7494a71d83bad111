"""Errors of this package that were raised in a Python worker, found again in Spark's own."""

from __future__ import annotations

import re

from llm_i2i_spark.base import errors
from llm_i2i_spark.base.errors import LlmI2iError

_LAST_LINE = re.compile(rf"^{re.escape(errors.__name__)}\.(\w+): (.+)$", re.MULTILINE)
"""Last line of a traceback that ends with an error of `base.errors`."""


def worker_error(error: Exception) -> LlmI2iError | None:
    """The error of this package that made a Spark action fail, with its kind and its sentence.

    Spark reports what a worker raised as text, between its own words and the stack of the JVM.

    Args:
        error: of a Spark action.

    Returns:
        None where the text has no such error.
    """
    found = _LAST_LINE.search(str(error))
    kind = getattr(errors, found[1], None) if found else None
    if found is None or not (isinstance(kind, type) and issubclass(kind, LlmI2iError)):
        return None
    return kind(found[2].strip())
