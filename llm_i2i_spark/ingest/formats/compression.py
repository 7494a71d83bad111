"""Compressed files: which packing a file has, and its bytes unpacked while they are read."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

import pyarrow as pa

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.ingest.formats.endings import PACKED

_MAGIC = (
    (b"\x1f\x8b", "gz"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zst"),
)
_OPENERS: dict[str | None, Callable[[str], Any]] = {
    None: partial(io.open, mode="rb"),
    "gz": partial(gzip.open, mode="rb"),
    "bz2": partial(bz2.open, mode="rb"),
    "xz": partial(lzma.open, mode="rb"),
    "zst": partial(pa.input_stream, compression="zstd"),
}
UNPACKABLE = frozenset({*_OPENERS, "zip"})
"""Packings that are unpacked here, without Spark."""
UNPACK_ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, pa.ArrowInvalid)
"""What reading a torn file raises."""


def packing_of(path: Path) -> str | None:
    """How a local file is packed, by its first bytes, else by its name; None for not at all."""
    with path.open("rb") as file:
        head = file.read(8)
    found = next((name for magic, name in _MAGIC if head.startswith(magic)), None)
    by_name = PACKED.get(path.suffix.lower())
    # Hadoop's snappy, lz4 and deflate have no magic bytes of their own; those of zip are also those
    # of spreadsheets.
    return found or (by_name if by_name in ("zip", "snappy", "lz4", "deflate") else None)


def open_unpacked(path: Path, packing: str | None, member: str | None = None) -> IO[bytes]:
    """The bytes of a file, unpacked as they are read.

    Args:
        path: of the file.
        packing: one of `UNPACKABLE`.
        member: the file inside a zip archive.
    """
    if packing == "zip":
        return zipfile.ZipFile(path).open(member or "")
    return cast("IO[bytes]", _OPENERS[packing](str(path)))


def zip_member(path: Path, wanted: tuple[str, ...] = ()) -> str:
    """The one data file of a zip archive, or the one whose name is wanted.

    Args:
        path: of the archive.
        wanted: file names, such as those of a public data set.

    Raises:
        InputDataError: the archive holds none, or several and none of them is wanted.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if _is_data(name)]
    except zipfile.BadZipFile as error:
        raise InputDataError(
            f"{path} is no whole zip archive ({error}); fetch or pack it again."
        ) from None
    chosen = [name for name in names if PurePosixPath(name).name in wanted] or names
    if len(chosen) == 1:
        return chosen[0]
    if not names:
        raise InputDataError(f"The archive {path} holds no files; name one with data.")
    shown = ", ".join(chosen[:6]) + (", ..." if len(chosen) > 6 else "")
    raise InputDataError(
        f"The archive {path} holds several files ({shown}); unpack it and name the one to read."
    )


def _is_data(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return not name.endswith("/") and not any(part.startswith(("_", ".")) for part in parts)
