"""Single bits flipped in files, one after the other, and what their readers then do."""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_i2i_spark.base.errors import LlmI2iError
from llm_i2i_spark.base.manifest import MANIFEST

FOUND, MADE_AGAIN, UNCHANGED = "found", "made again", "unchanged"
SILENT, UNNAMED = "silent", "not named"
OUTCOMES = (FOUND, MADE_AGAIN, UNCHANGED, SILENT, UNNAMED)


@dataclass
class Target:
    """Something that is written once and read back after every flip.

    Attributes:
        name: in the table of counts.
        folder: whose files are flipped.
        read: everything that its readers give; values of two reads can be compared.
        files: which files, as a pattern of their names.
        notes: filled by `read` with what it says of damage that it goes around.
    """

    name: str
    folder: Path
    read: Callable[[], Any]
    files: str = r".*"
    notes: list[str] = field(default_factory=list)

    def paths(self) -> list[Path]:
        """The files, sorted."""
        found = (path for path in self.folder.rglob("*") if path.is_file() and path.stat().st_size)
        return sorted(path for path in found if re.fullmatch(self.files, path.name))


def flip_bits(target: Target, flips: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Flip single bits of a target, each in the files as they were written.

    Every other flip takes a file first and then a byte of it, so that small files are met too; the
    others take any byte of all.

    Args:
        target: whose files are damaged, and are afterwards as before.
        flips: how many.
        seed: of the places.

    Returns:
        (counts by outcome, a line for each flip that ended badly).
    """
    draw, expected = random.Random(f"{target.name} {seed}"), target.read()
    counts: Counter[str] = Counter()
    bad = []
    for number in range(flips):
        paths = target.paths()
        sizes = [path.stat().st_size for path in paths] if number % 2 else None
        (path,) = draw.choices(paths, sizes)
        byte, bit = draw.randrange(path.stat().st_size), draw.randrange(8)
        with _flipped(path, byte, bit):
            outcome, said = _outcome(target, path, expected)
        counts[outcome] += 1
        if outcome in (SILENT, UNNAMED):
            bad.append(f"{outcome}: bit {bit} of byte {byte} of {path}: {said}")
    assert target.read() == expected
    return counts, bad


@contextmanager
def _flipped(path: Path, byte: int, bit: int) -> Iterator[None]:
    """The file with one bit flipped; its time stays as it is, as where a disk loses a bit."""
    content, state = path.read_bytes(), path.stat()
    damaged = bytearray(content)
    damaged[byte] ^= 1 << bit
    path.write_bytes(damaged)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    try:
        yield
    finally:
        path.write_bytes(content)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def _outcome(target: Target, path: Path, expected: Any) -> tuple[str, str]:
    target.notes.clear()
    try:
        found = target.read()
    except LlmI2iError as error:
        said = str(error)
        return (FOUND if _names(said, path) and "\n" not in said else UNNAMED), said
    except Exception as error:
        return UNNAMED, f"{type(error).__name__}: {error}"
    if found != expected:
        return SILENT, f"{str(found)[:200]} instead of {str(expected)[:200]}"
    return (MADE_AGAIN if target.notes else UNCHANGED), ""


def _names(said: str, path: Path) -> bool:
    """Whether a sentence names a file, or the one whose checksums it holds; of a manifest also the
    folder that it is of.
    """
    name = path.name.removeprefix(".").removesuffix(".crc")
    return name in said or (path.name == MANIFEST and str(path.parent) in said)
