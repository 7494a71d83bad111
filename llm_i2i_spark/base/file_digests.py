"""Digests of groups of files, cheap enough to be taken before every run.

Up to `WHOLE_BYTES` in all, every byte of every file is read. Beyond that, a file counts by its size
and by blocks at places that its size alone decides, its first and its last bytes among them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from llm_i2i_spark.base.files import sha256_of

WHOLE_BYTES = 256 << 20
BLOCK_BYTES = 16 << 10
MAX_BLOCKS = 256
BLOCKS_OF_ALL_FILES = 16_384


def digest_files(files: Mapping[str, Path], with_times: bool) -> str:
    """Digest of the names and contents of some files.

    Args:
        files: name -> where it is. The name is part of the digest, the place is not.
        with_times: whether the time of the last change counts for files that are not read whole.
            It tells an edited file from the old one, but also two copies on two machines.

    Returns:
        Hex sha256.

    Raises:
        OSError: a file is not there or cannot be read.
    """
    states = {name: path.stat() for name, path in sorted(files.items())}
    whole = sum(state.st_size for state in states.values()) <= WHOLE_BYTES
    blocks = max(2, min(MAX_BLOCKS, BLOCKS_OF_ALL_FILES // max(len(files), 1)))
    digest = hashlib.sha256()
    for name, state in states.items():
        size, path = state.st_size, files[name]
        content = sha256_of(path) if whole else _sampled(path, size, blocks)
        time = state.st_mtime_ns if with_times and not whole else ""
        digest.update(f"{name}\0{size}\0{time}\0{content}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _sampled(path: Path, size: int, blocks: int) -> str:
    """Digest of some blocks of a file, at equal distances from its first to its last bytes."""
    digest = hashlib.sha256()
    last = max(size - BLOCK_BYTES, 0)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        for offset in sorted({last * number // (blocks - 1) for number in range(blocks)}):
            digest.update(os.pread(descriptor, BLOCK_BYTES, offset))
    finally:
        os.close(descriptor)
    return digest.hexdigest()
