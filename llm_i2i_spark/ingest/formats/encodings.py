"""From bytes to text: which encoding a file has, and bytes that are not of it noticed, never
replaced in silence.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import IO

from llm_i2i_spark.base.errors import ConfigError, InputDataError

UTF_8 = "utf-8"
UNDECODABLE = "\udcff"
"""What stands in decoded text for a byte that is not of the encoding: half a surrogate pair, which
no well-formed text has.
"""
_BOMS = (
    (codecs.BOM_UTF8, UTF_8),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# A line or two of garbage are rows to quarantine; more speak for another encoding.
_FEW_LINES, _FEW_SHARE = 2, 0.2
_HANDLER = "llm_i2i_undecodable"


def find_encoding(
    head: bytes,
    complete: bool,
    given: str | None,
    fallback: str | None,
    *,
    path: str,
    table: str,
) -> tuple[str, str]:
    """The encoding of a text file, and why.

    Args:
        head: the first bytes.
        complete: whether these are all.
        given: `ingest.encoding`; None to find it out.
        fallback: what files that are not UTF-8 have; None for unknown.
        path: of the table, for messages.
        table: `interactions` or `items`, for messages.

    Raises:
        ConfigError: the given encoding is unknown.
        InputDataError: no encoding is given and the bytes are not UTF-8.
    """
    if given:
        return checked_encoding(given, table), "as ingest.encoding says"
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding, "the file begins with its byte-order mark"
    lines = head.split(b"\n")
    if not complete:
        lines.pop()
    wrong = [(number, line) for number, line in enumerate(lines, 1) if not _is_utf_8(line)]
    if not wrong:
        return UTF_8, f"the first {len(head):,} bytes are valid UTF-8"
    if fallback:
        return fallback, "the bytes are not UTF-8, and this data set is known to have it"
    is_text = head.count(b"\0") < len(head) / 100  # what has many NULs is told elsewhere
    if is_text and (len(wrong) > _FEW_LINES or len(wrong) > _FEW_SHARE * len(lines)):
        number, line = wrong[0]
        raise InputDataError(
            f"{path} is not UTF-8 ({len(wrong):,} of {len(lines):,} lines, as line {number}:"
            f" {line[:40]!r}); say which encoding it has: --set ingest.encoding.{table}=latin-1, or"
            " cp1252, gbk, shift_jis, ..."
        )
    return UTF_8, f"but for {len(wrong)} of {len(lines):,} lines, which go to quarantine"


def _is_utf_8(line: bytes) -> bool:
    try:
        line.decode(UTF_8)
    except UnicodeDecodeError:
        return False
    return True


def checked_encoding(name: str, table: str) -> str:
    """The encoding's name as it is given; UTF-8 as `utf-8`.

    Raises:
        ConfigError: there is no such text encoding.
    """
    try:
        "".encode(name)
        return UTF_8 if codecs.lookup(name).name == UTF_8 else name.lower()
    except (LookupError, ValueError):
        raise ConfigError(
            f"ingest.encoding.{table} is {name!r}, which is no text encoding; it takes utf-8,"
            " latin-1, cp1252, gbk, shift_jis, utf-16, ..."
        ) from None


def encoding_option(encoding: str) -> dict[str, str]:
    """`ingest.encoding` of an encoding that the bytes themselves do not tell."""
    return {} if encoding in (UTF_8, "utf-16", "utf-32") else {"encoding": encoding}


def decode(head: bytes, encoding: str) -> str:
    """Bytes as text without byte-order mark; `UNDECODABLE` where they are not of the encoding."""
    text = codecs.getincrementaldecoder(encoding)(errors=_HANDLER).decode(head)
    return text.removeprefix("\ufeff")


def text_of(file: IO[bytes], encoding: str, piece_chars: int = -1) -> Iterator[str]:
    """The lines of a file with their ends (`\\n`, `\\r\\n` or `\\r`), decoded as `decode` does.

    Args:
        file: its bytes.
        encoding: of them.
        piece_chars: longer lines come in pieces; -1 for whole.
    """
    stream = io.TextIOWrapper(file, encoding=encoding, errors=_HANDLER, newline="")
    first = True
    while line := stream.readline(piece_chars):
        yield line.removeprefix("\ufeff") if first else line
        first = False


def _mark_undecodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return UNDECODABLE, error.end


codecs.register_error(_HANDLER, _mark_undecodable)
