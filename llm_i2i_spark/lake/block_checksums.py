"""Checksums of the blocks of a local file, in a hidden file beside it: what Hadoop writes for every
file on a local disk, Spark verifies whenever it reads one, and readers without a JVM verify here.

They cover every byte, footers and page headers too, which Parquet's own page checksums leave out.
`.NAME.crc` holds b"crc\\0", the bytes a block (512) and the CRC-32 of each block, big-endian.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from llm_i2i_spark.base.files import flush, write_atomically

BLOCK_BYTES = 512
_MAGIC = b"crc\0"
_HEADER = struct.Struct(">4si")
_BLOCKS_AT_ONCE = 2_048
_LOG_FILE = re.compile(r"\d{20}\.(?:json|checkpoint(?:\..+)?\.parquet)")
_LAST_CHECKPOINT = "_last_checkpoint"


class ChecksumError(OSError):
    """A file is not what was written; the message names it."""


def checksum_file(path: Path) -> Path:
    """Where the checksums of a file are."""
    return path.with_name(f".{path.name}.crc")


def write_block_checksums(path: Path) -> None:
    """Write the checksums of a finished file beside it, and flush both to the disk."""
    sums = b"".join(struct.pack(">I", crc) for crc in _block_checksums(path, BLOCK_BYTES))
    flush(path)
    write_atomically(checksum_file(path), _HEADER.pack(_MAGIC, BLOCK_BYTES) + sums)


def verify_block_checksums(path: Path) -> None:
    """Compare every block of a file with its checksum.

    A file without checksums passes: they are written on local disks alone, and may be left behind
    when files are copied.

    Raises:
        ChecksumError: a block differs, or there are more or fewer than were written.
        OSError: the file cannot be read.
    """
    try:
        kept = checksum_file(path).read_bytes()
    except FileNotFoundError:
        return
    magic, size = _HEADER.unpack_from(kept) if len(kept) >= _HEADER.size else (b"", 0)
    sums = kept[_HEADER.size :]
    if magic != _MAGIC or not 0 < size <= 1 << 20 or len(sums) % 4:
        raise ChecksumError(f"{checksum_file(path)} does not hold checksums")
    expected = [crc for (crc,) in struct.iter_unpack(">I", sums)]
    if list(_block_checksums(path, size)) != expected:
        raise ChecksumError(f"{path} is not what was written, as its checksums say")


def verify_log(log: Path) -> None:
    """Compare the files of a Delta log with their checksums.

    Raises:
        ChecksumError: one is not what was written, or is empty: readers would pass over it.
        OSError: one cannot be read.
    """
    for path in sorted(log.iterdir()):
        if _LOG_FILE.fullmatch(path.name):
            with suppress(FileNotFoundError):  # an old commit that somebody removes meanwhile
                if path.stat().st_size == 0:
                    raise ChecksumError(f"{path} is empty")
                verify_block_checksums(path)


def write_log_checksums(log: Path) -> None:
    """Give the files of a Delta log that delta-rs has written the checksums that Spark would."""
    for path in sorted(log.iterdir()):
        if _LOG_FILE.fullmatch(path.name) and not checksum_file(path).exists():
            write_block_checksums(path)
    # Spark's checksums of the pointer, which delta-rs writes over, would be those of the old one.
    last = log / _LAST_CHECKPOINT
    if last.is_file() and checksum_file(last).is_file():
        write_block_checksums(last)


def _block_checksums(path: Path, size: int) -> Iterator[int]:
    with path.open("rb") as file:
        while content := file.read(size * _BLOCKS_AT_ONCE):
            view = memoryview(content)
            for first in range(0, len(view), size):
                yield zlib.crc32(view[first : first + size])
