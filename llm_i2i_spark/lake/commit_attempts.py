"""Commits that another writer of the table came before: made again, a bounded number of times; and
how one is told from the other where the storage has no links.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.errors import ConcurrentWriteError
from llm_i2i_spark.base.unfinished import unfinished_name

ATTEMPTS = 5
_NO_LINKS = {errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}

T = TypeVar("T")


def commit_again(table: str, commit: Callable[[], T]) -> T:
    """Commit, and where another writer was faster, begin again on what that one has left.

    Args:
        table: its name, for the message.
        commit: reads the table and commits to it.

    Raises:
        ConcurrentWriteError: others were faster at every attempt.
    """
    for attempt in range(1, ATTEMPTS):
        try:
            return commit()
        except ConcurrentWriteError:
            log_message(f"  another run wrote {table} meanwhile; attempt {attempt + 1}/{ATTEMPTS}")
    return commit()


def commit_options(log: Path) -> dict[str, str] | None:
    """What delta-rs is to be told of the storage, so that it can commit there.

    It shows a commit under its name by a hard link, which the system refuses where another process
    has that name already: of two writers one wins. Mounts of object stores (a volume of Unity
    Catalog, FUSE) have no links. There it renames, and two that commit in the same moment may both
    believe that they have.

    Args:
        log: folder of the table's log, which is there.

    Returns:
        Its storage options; None for none.
    """
    unlinked, linked = (log / unfinished_name(end) for end in ("unlinked", "linked"))
    try:
        unlinked.touch()
        os.link(unlinked, linked)
    except OSError as error:
        return {"allow_unsafe_rename": "true"} if error.errno in _NO_LINKS else None
    finally:
        for path in (unlinked, linked):
            with suppress(OSError):
                path.unlink(missing_ok=True)
    return None
