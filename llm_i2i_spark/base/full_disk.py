"""A disk that is full, said in one sentence wherever it is met: by Python, pyarrow, delta-rs or the
JVM.
"""

from __future__ import annotations

import errno

from llm_i2i_spark.base.errors import UserError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_WORDS = ("No space left on device", "Disk quota exceeded")


def full_disk(error: BaseException) -> UserError | None:
    """The sentence for an error behind which a full disk stands; None for any other.

    Args:
        error: with its causes, which libraries turn into errors of their own.
    """
    cause: BaseException | None = error
    while cause is not None:
        if getattr(cause, "errno", None) in _FULL or any(word in str(cause) for word in _WORDS):
            name = getattr(cause, "filename", None)
            where = f" ({name} could not be written)" if name else ""
            return UserError(
                f"The disk is full{where}: make room and give the same command again, which goes on"
                " from the last complete stage."
            )
        cause = cause.__cause__ or cause.__context__
    return None
