"""A disk that is full, or that lets nothing be read or written, said in one sentence wherever it is
met: by Python, pyarrow, delta-rs or the JVM.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

from llm_i2i_spark.base.errors import UserError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FULL_WORDS = ("No space left on device", "Disk quota exceeded")
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_REFUSED_WORDS = {
    "ead-only file system": "read-only file system",
    "Permission denied": "permission denied",
    "AccessDeniedException": "permission denied",
    "Mkdirs failed to create": "the folder cannot be made",  # all that Hadoop says of either
}
_PATHS = (
    r"Failed to open local file '([^']+)'",  # pyarrow
    r"IO error for operation on (/[^\n]+)",  # delta-rs
    r"Mkdirs failed to create (?:file:)?(/.+?) \(exists",
    r"(?:FileNotFoundException|AccessDeniedException): (/[^\n]+?)(?: \(|\n|$)",  # the JVM
)


def disk_error(error: BaseException) -> UserError | None:
    """The sentence for an error behind which a full or closed disk stands; None for any other.

    Args:
        error: with its causes, which libraries turn into errors of their own.
    """
    for cause in _causes(error):
        number, text = getattr(cause, "errno", None), str(cause)
        if number in _FULL or any(word in text for word in _FULL_WORDS):
            name = getattr(cause, "filename", None)
            where = f" ({name} could not be written)" if name else ""
            return UserError(
                f"The disk is full{where}: make room and give the same command again, which goes on"
                " from the last complete stage."
            )
        why = next((why for word, why in _REFUSED_WORDS.items() if word in text), None)
        if why or number in _REFUSED:
            return UserError(
                f"This user may not read or write {_path(cause)} ({why or 'not permitted'}): change"
                " its owner or its rights, or name another folder, and give the same command again."
            )
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _path(error: BaseException) -> str:
    """The file that an error is about, as far as it says so."""
    name = getattr(error, "filename", None)
    found = (re.search(pattern, str(error)) for pattern in _PATHS)
    return str(name) if name else next((one[1] for one in found if one), "a file")
