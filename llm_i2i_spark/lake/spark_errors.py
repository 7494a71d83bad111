"""Why Spark failed, in one line: what stands at the end of its chain of causes, instead of the call
that ended there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JNetworkError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.lake.capabilities import SPARK_ERRORS
from llm_i2i_spark.lake.worker_errors import worker_error

LONGEST = 200
_TRACEBACK = "Traceback (most recent call last):"
_JAVA_CAUSE = re.compile(r"^(?:Caused by)?: ([\w.$]+)(?:: (.*))?$", re.MULTILINE)
_TASK_FAILED = re.compile(r"^Job aborted due to stage failure: .*?(?:\(executor [^)]*\)|: )")
_SQL_STATE = re.compile(r"\s*SQLSTATE: \w{5};?\s*$")
_MODULE = re.compile(r"^(?:\w+\.)+(?=\w+: )")
_SAYS_NOTHING = "An error occurred while calling"
_FEWER = "give it more memory beside Spark's heap, or run fewer tasks at once"
_HINTS = {
    "CUDA out of memory": "set the stage's batch_tokens lower",
    "OutOfMemoryError": "set spark.memory higher",
    "Java heap space": "set spark.memory higher",
    "MemoryError": f"a Python worker had too little memory: {_FEWER}",
    "exited unexpectedly": f"a Python worker died, mostly for want of memory: {_FEWER}",
    "Relative path in absolute URI": "the name of a file holds a colon: rename it",
    "No space left on device": "make room on the disk",
}


def is_of_spark(error: Exception) -> bool:
    """Whether an error came from Spark: from an action, or from a session that has ended."""
    ended = isinstance(error, ConnectionError) and SparkSession.getActiveSession() is not None
    return ended or isinstance(error, SPARK_ERRORS)


def spark_reason(error: Exception) -> str:
    """The reason of an error of Spark as one line without a full stop.

    It is the message of this package or of Python where a worker raised one, else Spark's own first
    line with the last of its causes.

    Args:
        error: of a Spark action.
    """
    own = worker_error(error)
    if own is not None:
        return str(own).rstrip(".")
    if isinstance(error, Py4JNetworkError | ConnectionError):
        return "its JVM has ended: it was killed or ran out of memory"
    reason = _python_reason(str(error)) or _java_reason(error)
    hint = next((hint for word, hint in _HINTS.items() if word in str(error)), None)
    return f"{reason}; {hint}" if hint else reason


@contextmanager
def explained(path: str, key: str) -> Iterator[None]:
    """Turn an error of Spark about an unreadable source into one sentence.

    Args:
        path: of the source.
        key: the option that names it.

    Raises:
        InputDataError: something inside the block failed in Spark.
    """
    try:
        yield
    except SPARK_ERRORS as error:
        reason = spark_reason(error)
        missing = "PATH_NOT_FOUND" in reason or "TABLE_OR_VIEW_NOT_FOUND" in reason
        what = "There is nothing at" if missing else f"Spark cannot read ({reason})"
        raise InputDataError(
            f"{what} {path}; {key} must name a file, a folder or a table, and ingest.format its"
            " format."
        ) from error


def _python_reason(text: str) -> str | None:
    """The last line of the traceback of a Python worker; None without one."""
    _, found, trace = text.rpartition(_TRACEBACK)
    lines = trace.splitlines()[1:] if found else []
    return next((_shortened(line) for line in lines if line and not line[0].isspace()), None)


def _java_reason(error: BaseException) -> str:
    """The first message and the last: what Spark was doing, and what stopped it."""
    messages = [text for text in map(_shortened, _messages(error)) if text]
    if not messages:
        return type(error).__name__
    first, last = messages[0], messages[-1]
    return first if last in first or first in last else f"{first}: {last}"


def _messages(error: BaseException) -> Iterator[str]:
    """The messages of an error and of its causes, the outermost first."""
    text = str(error)
    causes = [f"{name.rpartition('.')[2]}: {said}" for name, said in _JAVA_CAUSE.findall(text)]
    if not causes and not text.startswith(_SAYS_NOTHING):
        yield text.strip()
    yield from causes
    if isinstance(error, PySparkException) and error.__dict__.get("_cause") is not None:
        yield from _messages(error.__dict__["_cause"])


def _shortened(text: str) -> str:
    line = (text.strip().splitlines() or [""])[0]
    for noise in (_TASK_FAILED, _SQL_STATE, _MODULE):
        line = noise.sub("", line)
    return line.removeprefix("SparkException: ").strip().rstrip(".:")[:LONGEST]
