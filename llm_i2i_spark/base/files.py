"""Files that other processes read: digests, flushing to disk, and writes that leave either the old
content or the new one, never a part.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote, urlsplit

from llm_i2i_spark.base.errors import ConfigError, InputDataError
from llm_i2i_spark.base.phases import reached
from llm_i2i_spark.base.unfinished import unfinished_file, unfinished_folder, unfinished_name

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def flush(path: Path) -> None:
    """Make a file's bytes, or a folder's names, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_uri(path: str) -> bool:
    """Whether a path names a scheme, such as `s3://bucket/lake`, `dbfs:/lake` or `file:///lake`.

    Without one it is a path of this machine's file system.
    """
    return _SCHEME.match(path) is not None


def write_atomically(path: str | Path, content: str | bytes) -> None:
    """Write a small file: see `open_atomically`.

    Args:
        path: local path or URI.
        content: text is encoded as UTF-8.

    Raises:
        OSError: the place cannot be written to.
        ValueError: the URI's scheme is unknown.
    """
    with open_atomically(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def require_file_place(path: str | Path) -> None:
    """Make sure, before the work for it begins, that a file can be written to a path: its folder
    may be missing, but can be made.

    Args:
        path: local path or URI, of which only the local ones are looked at.

    Raises:
        ConfigError: the path is a folder, or lies where nothing can be written.
    """
    if is_uri(str(path)) and not str(path).startswith("file:"):
        return
    target = _local_path(str(path))
    if target.is_dir():
        raise ConfigError(f"{path} is a folder; name a file in it, such as {target}/NAME.parquet.")
    above = next(folder for folder in target.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        why = "may not be written to" if above.is_dir() else "is a file"
        raise ConfigError(f"{path} cannot be written, since {above} {why}; name another place.")


def require_readable_name(path: Path) -> None:
    """Make sure that Spark reads a local file at all.

    Raises:
        InputDataError: Spark passes over its name, or cannot open it.
    """
    hidden = path.name.startswith(".") or (path.name.startswith("_") and "=" not in path.name)
    if path.is_file() and hidden:
        raise InputDataError(
            f"Spark passes over files whose names begin with _ or a dot, as {path.name} does;"
            " rename it."
        )
    if path.is_file() and ":" in path.name:
        raise InputDataError(
            f"Spark cannot open files whose names hold a colon, as {path.name} does; rename it."
        )


@contextmanager
def open_atomically(path: str | Path) -> Iterator[BinaryIO]:
    """A binary stream whose content appears under `path` when the block ends without an error.

    The bytes are written to a hidden file in the same folder, flushed to disk, and renamed; an
    error inside the block removes the hidden file and leaves what `path` held before. Folders that
    are missing are made. On an object store, where nothing is renamed in one step, the object
    appears by one server-side copy.

    Args:
        path: local path or URI.

    Raises:
        OSError: the place cannot be written to.
        ValueError: the URI's scheme is unknown.
    """
    text = str(path)
    if is_uri(text) and not text.startswith("file:"):
        from pyarrow.fs import FileSystem

        opened = open_in(*FileSystem.from_uri(text))
    else:
        opened = _open_local(_local_path(text))
    with opened as file:
        yield file


@contextmanager
def open_in(system: FileSystem, target: str) -> Iterator[BinaryIO]:
    """`open_atomically` for a path of a file system that is already connected.

    Args:
        system: a pyarrow file system.
        target: path inside it, without a scheme.

    Raises:
        OSError: the place cannot be written to.
    """
    folder, _, name = target.rpartition("/")
    unfinished = f"{folder}/{unfinished_name(name)}"
    system.create_dir(folder, recursive=True)
    try:
        with system.open_output_stream(unfinished) as file:
            yield file
        system.move(unfinished, target)
    except BaseException:
        with suppress(OSError):
            system.delete_file(unfinished)
        raise


@contextmanager
def folder_atomically(target: Path) -> Iterator[Path]:
    """A new local folder to fill, which takes the name `target` when the block ends without an
    error.

    A folder that has the name already is replaced; an error leaves it as it was. Whoever needs the
    files themselves to survive a power cut flushes them inside the block.

    Yields:
        The folder to fill, hidden beside the target.
    """
    with unfinished_folder(target) as unfinished:
        try:
            yield unfinished
            move_into_place(unfinished, target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def move_into_place(unfinished: Path, target: Path) -> None:
    """Give a finished file or folder its name, replacing what has it, and flush the name to disk.

    A file is replaced in one step. A folder cannot be: the old one is renamed away first, so that a
    reader finds the old folder, none for a moment, or the new one.

    Args:
        unfinished: on the same file system as the target.
        target: the name it gets.
    """
    is_folder = unfinished.is_dir()
    reached("folder complete" if is_folder else "file complete")
    if is_folder and target.is_dir():
        old = target.with_name(unfinished_name(target.name))
        target.rename(old)
        unfinished.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.replace(unfinished, target)
    flush(target.parent)
    reached("folder in place" if is_folder else "file in place")


@contextmanager
def _open_local(target: Path) -> Iterator[BinaryIO]:
    target.parent.mkdir(parents=True, exist_ok=True)
    with unfinished_file(target) as unfinished:
        try:
            with unfinished.open("wb") as file:
                yield file
            flush(unfinished)
            move_into_place(unfinished, target)
        finally:
            unfinished.unlink(missing_ok=True)


def _local_path(path: str) -> Path:
    return Path(unquote(urlsplit(path).path) if path.startswith("file:/") else path).expanduser()
