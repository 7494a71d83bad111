"""The decorator under which every kernel is compiled."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def _digest_sources() -> str:
    """Of all source files of this folder."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


SOURCES = _digest_sources()


def compiled(function: Function) -> Function:
    """Compile at the first call and keep the machine code on disk, beside the source or in numba's
    cache folder. The function runs without Python's global lock.
    """
    dispatcher: Any = njit(cache=True, nogil=True)(function)
    # numba checks the cached code against the function's own file alone and misses changes in the
    # files of the functions that it calls; with this stamp one changed file renews all of them.
    dispatcher._cache._cache_file._source_stamp = SOURCES
    return cast(Function, dispatcher)
