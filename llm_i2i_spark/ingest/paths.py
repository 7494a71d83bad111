"""Paths of raw tables: which files they name. No Spark."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path

from llm_i2i_spark.base.files import is_uri

_TABLE = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+){0,2}\Z")


def local_path(path: str) -> Path | None:
    """The file or folder on this machine; None where the path is remote, names a table, or does not
    exist.
    """
    path = _without_scheme(path)
    if is_uri(path) or "\0" in path:
        return None
    local = Path(path).expanduser()
    return local if local.exists() else None


def is_table_name(path: str) -> bool:
    """Whether the text could be the name of a catalog table: `table`, `schema.table` or
    `catalog.schema.table`.
    """
    return bool(_TABLE.match(path))


def files_matching(pattern: str) -> list[Path]:
    """The files and folders of this machine that a pattern such as `days/*.csv` names, sorted.

    `*`, `?`, `[...]` and `{a,b}` mean what they mean to Spark. Names that begin with `_` or `.` are
    left out, unless the pattern begins so.
    """
    pattern = os.path.expanduser(_without_scheme(pattern))
    if is_uri(pattern) or "\0" in pattern or not is_pattern(pattern):
        return []
    found = {match for one in _without_braces(pattern) for match in glob.glob(one)}
    asked_for_hidden = Path(pattern).name.startswith(("_", "."))
    kept = (Path(os.path.abspath(match)) for match in found)
    return sorted(path for path in kept if asked_for_hidden or not is_hidden(path.name))


def is_pattern(path: str) -> bool:
    """Whether a path has characters that stand for others."""
    return any(mark in path for mark in "*?[{")


def literal_folder(pattern: str) -> Path:
    """The folder that every match of a pattern lies in."""
    parts = Path(os.path.abspath(os.path.expanduser(_without_scheme(pattern)))).parts
    return Path(*(parts[: next(n for n, part in enumerate(parts) if is_pattern(part))]))


def data_files(folder: Path) -> list[Path]:
    """The files below a folder that hold rows: hidden files and folders are left out, as Spark
    leaves them out.
    """
    found = []
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not is_hidden(name)]
        found += [Path(place, name) for name in names if not is_hidden(name)]
    return sorted(found)


def _without_scheme(path: str) -> str:
    return re.sub(r"^file:/+", "/", path)


def is_hidden(name: str) -> bool:
    """Whether Spark passes over a file or folder of this name."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def _without_braces(pattern: str) -> Iterator[str]:
    """The patterns that one with `{a,b}` stands for."""
    braces = re.search(r"\{([^{}]*)\}", pattern)
    if braces is None:
        yield pattern
        return
    for choice in braces[1].split(","):
        yield from _without_braces(pattern[: braces.start()] + choice + pattern[braces.end() :])
