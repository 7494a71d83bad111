"""Every data file of a local table against its log: which versions can still be read, and which
files no version names. Names and sizes are compared; nothing is opened but the log. No Spark.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from llm_i2i_spark.base.files import is_uri
from llm_i2i_spark.lake.lost_files import open_table

_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\..*parquet|(\d{20})\.checkpoint\.[^.]+\.json")


@dataclass(frozen=True)
class VersionState:
    """One version of a table.

    Attributes:
        version: of the table.
        time: of its commit, UTC; None where the log no longer has the commit itself.
        readable: whether every data file is there, as long as the log says.
    """

    version: int
    time: datetime | None
    readable: bool


@dataclass(frozen=True)
class TableFiles:
    """What a table's folder holds.

    Attributes:
        versions: that the log still reaches, oldest first.
        files: data files of the latest version.
        bytes: of these.
        orphans: files that no commit in the log names, below the table's folder: a write that was
            stopped left them, or an old version whose commit is gone.
        orphan_bytes: of these.
    """

    versions: tuple[VersionState, ...]
    files: int
    bytes: int
    orphans: tuple[str, ...]
    orphan_bytes: int


def read_table_files(path: str) -> TableFiles:
    """Look at a table's log and folder.

    Args:
        path: local folder of the table.

    Raises:
        TableNotFoundError: the log is damaged.
    """
    folder = Path(path)
    there = {name: size for name, size in _files(folder)}
    commits = {number: file for number, file in _numbered(folder / "_delta_log", _COMMIT)}
    latest = int(open_table(path).version())
    first = _oldest(folder, commits, latest)
    present = _state(path, first)
    named, versions = set(present), []
    for version in range(first, latest + 1):
        time = None
        if version in commits:
            actions = list(_actions(commits[version]))
            time = _time(actions)
            if version > first:
                _apply(actions, present)
            named |= _named(actions)
        readable = all(there.get(name) == size for name, size in present.items())
        versions.append(VersionState(version, time, readable))
    for version, file in commits.items():
        named |= _named(_actions(file)) if version < first else set()
    orphans = sorted(name for name in there if _data_name(name) not in named)
    return TableFiles(
        versions=tuple(versions),
        files=len(present),
        bytes=sum(present.values()),
        orphans=tuple(orphans),
        orphan_bytes=sum(there[name] for name in orphans),
    )


def _oldest(folder: Path, commits: dict[int, Path], latest: int) -> int:
    """The oldest version that the log can put together."""
    starts = [version for version, _ in _numbered(folder / "_delta_log", _CHECKPOINT)]
    starts += [0] if 0 in commits else []
    usable = [
        start
        for start in starts
        if start <= latest and all(one in commits for one in range(start + 1, latest + 1))
    ]
    return min(usable, default=latest)


def _state(path: str, version: int) -> dict[str, int]:
    """Bytes of the data files of a version by name."""
    actions = pa.table(open_table(path, version).get_add_actions(flatten=True)).to_pylist()
    return {unquote(one["path"]): one["size_bytes"] for one in actions if not is_uri(one["path"])}


def _apply(actions: list[dict[str, Any]], present: dict[str, int]) -> None:
    """Bring the files of a version to those of the next."""
    for action in actions:
        if "remove" in action:
            present.pop(unquote(action["remove"]["path"]), None)
    for action in actions:
        if "add" in action:
            present[unquote(action["add"]["path"])] = action["add"]["size"]


def _named(actions: list[dict[str, Any]] | Iterator[dict[str, Any]]) -> set[str]:
    kinds = ("add", "remove", "cdc")
    return {unquote(action[kind]["path"]) for action in actions for kind in kinds if kind in action}


def _time(actions: list[dict[str, Any]]) -> datetime | None:
    for action in actions:
        if "timestamp" in action.get("commitInfo", {}):
            return datetime.fromtimestamp(action["commitInfo"]["timestamp"] / 1000, timezone.utc)
    return None


def _actions(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def _numbered(folder: Path, pattern: re.Pattern[str]) -> Iterator[tuple[int, Path]]:
    for file in folder.iterdir():
        found = pattern.fullmatch(file.name)
        if found:
            yield int(found[1] or found[2]), file


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    """Files of a table other than its log, by name below its folder, with their bytes."""
    for file in folder.rglob("*"):
        name = file.relative_to(folder).as_posix()
        # Deletion vectors are named by an encoded id in the log, and small.
        if not name.startswith("_delta_log/") and file.is_file() and "deletion_vec" not in name:
            yield name, file.stat().st_size


def _data_name(name: str) -> str:
    """The data file that Hadoop's checksum file `.NAME.crc` is of; else the name itself."""
    folder, slash, last = name.rpartition("/")
    if last.startswith(".") and last.endswith(".crc"):
        return folder + slash + last[1 : -len(".crc")]
    return name
