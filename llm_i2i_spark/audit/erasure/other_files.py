"""Files beside the data files of the tables that hold some users: logs of tables, pages, copies of
sources, what a run that was ended has left; and the raw files that a log comes from.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from llm_i2i_spark.audit.erasure.holdings import HeldFile, SourceFile
from llm_i2i_spark.audit.erasure.matching import Users
from llm_i2i_spark.audit.erasure.table_files import BATCH_ROWS, LOG_FOLDER
from llm_i2i_spark.base.contracts import TABLES

MODEL_WEIGHTS = (".safetensors", ".pt", ".bin", ".npy", ".npz")
"""Files of numbers, in which no id stands as text."""
BLOCK_BYTES, OVERLAP_BYTES = 1 << 24, 1 << 11
_COMPRESSED: dict[str, Callable[..., Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}
_UNREAD = (".zip", ".zst", ".lz4", ".snappy", ".orc", ".avro", ".7z")
_SEARCHED = (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer)
_PARQUET = re.compile(r"\.parquet(\.|$)")


def other_files(root: Path, users: Users) -> Iterator[HeldFile | Path]:
    """The files below a lake's folder, but for data files of its tables, in which an id stands as
    a value or as a word of its own; a path alone where one cannot be looked into.

    A short id that is a number may be found where another number is meant.
    """
    for file in sorted(root.rglob("*")):
        inner = file.relative_to(root)
        of_table = any(part in TABLES for part in inner.parts) and LOG_FOLDER not in inner.parts
        if not file.is_file() or of_table or file.suffix in MODEL_WEIGHTS:
            continue
        holds = holds_users(file, users, in_log=LOG_FOLDER in inner.parts)
        if holds is not False:
            yield HeldFile(str(file)) if holds else file


def source_files(paths: Iterable[str], users: Users) -> Iterator[SourceFile]:
    """The raw files, and whether the users are in them.

    Args:
        paths: of files, or names of what is no file of this machine.
        users: which.
    """
    for path in paths:
        place = Path(path)
        files = sorted(place.rglob("*")) if place.is_dir() else [place]
        looked = [holds_users(file, users) for file in files if file.is_file()]
        yield SourceFile(path, _summary(looked))


def _summary(looked: Sequence[bool | None]) -> bool | None:
    if True in looked:
        return True
    return None if None in looked or not looked else False


def holds_users(file: Path, users: Users, in_log: bool = False) -> bool | None:
    """Whether a file has an id of the users in it; None where it cannot be looked into.

    Args:
        file: of rows or of text, compressed or not.
        users: which.
        in_log: it is of the log of a table, where only whole texts in quotes count: statistics.
    """
    if file.suffix in _UNREAD:
        return None
    try:
        if _PARQUET.search(file.name) and not file.name.endswith(".crc"):
            return _in_rows(file, users, in_log)
        with _COMPRESSED.get(file.suffix, open)(file, "rb") as content:
            return _in_text(content, users, in_log)
    except (OSError, EOFError, lzma.LZMAError, zlib.error, pa.ArrowException):
        return None


def _in_text(content: IO[bytes], users: Users, in_log: bool) -> bool:
    is_in, tail = users.are_quoted_in if in_log else users.are_in_bytes, b""
    while block := content.read(BLOCK_BYTES):
        if is_in(tail + block):
            return True
        tail = (tail + block)[-OVERLAP_BYTES:]
    return False


def _in_rows(file: Path, users: Users, in_log: bool) -> bool:
    with pq.ParquetFile(file) as opened:
        leaves = (leaf for batch in opened.iter_batches(BATCH_ROWS) for leaf in _leaves(batch))
        if not in_log:
            return any(
                users.are_in({"": pa.chunked_array([one])}, {"": "id"}).any() for one in leaves
            )
        texts = (one.to_pylist() for one in leaves if not pa.types.is_integer(one.type))
        return any(users.are_quoted_in(_as_lines(one)) for one in texts)


def _as_lines(values: Iterable[str | None]) -> bytes:
    return "\n".join(f'"{one}"' for one in values if one is not None).encode()


def _leaves(batch: pa.RecordBatch) -> Iterator[pa.Array]:
    """The columns of texts and whole numbers, those within structs and lists too."""
    waiting = list(batch.columns)
    while waiting:
        column = waiting.pop()
        if pa.types.is_struct(column.type):
            waiting += column.flatten()
        elif pa.types.is_map(column.type):
            waiting += [column.keys, column.items]
        elif pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            waiting.append(column.flatten())
        elif pa.types.is_dictionary(column.type):
            waiting.append(column.dictionary)
        elif any(is_one(column.type) for is_one in _SEARCHED):
            yield column
