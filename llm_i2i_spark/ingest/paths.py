"""Paths of raw tables: the file format by their names, and digests by which a change is noticed. No
Spark.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.base.files import is_uri, require_readable_name
from llm_i2i_spark.config.config import Config

_TABLE = re.compile(r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+){0,2}$")
_COMPRESSION = {".gz", ".bz2", ".zst", ".snappy", ".lz4", ".deflate"}
_CONTAINERS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".dat": "double_colon",
}
_MOVIELENS_FILES = {
    "interactions": ("ratings.csv", "ratings.dat"),
    "items": ("movies.csv", "movies.dat"),
}


def local_path(path: str) -> Path | None:
    """The file or folder on this machine; None where the path is remote, names a table, or does not
    exist.
    """
    if path.startswith("file:"):
        path = re.sub(r"^file:/+", "/", path)
    if is_uri(path) or "\0" in path:
        return None
    local = Path(path).expanduser()
    return local if local.exists() else None


def is_table_name(path: str) -> bool:
    """Whether the text could be the name of a catalog table: `table`, `schema.table` or
    `catalog.schema.table`.
    """
    return bool(_TABLE.match(path))


def container_of(path: str) -> str | None:
    """How rows are stored, by the ending of the file (or of a folder's first data file); None where
    the ending is unknown.

    Raises:
        InputDataError: a local folder holds no data file.
    """
    local = local_path(path)
    if local is None or local.is_file():
        return _by_ending(path)
    if (local / "_delta_log").is_dir():
        return "delta"
    files = _data_files(local)
    if not files:
        raise InputDataError(
            f"The folder {path} holds no data files; name the file or folder of the raw table."
        )
    return _by_ending(files[0].name)


def resolve_folder(path: str, table: str) -> str:
    """The path as Spark should read it: absolute where it is local, and a MovieLens folder narrowed
    to the table's file.

    Raises:
        InputDataError: Spark cannot read a file of this name.
    """
    local = local_path(path)
    if local is None:
        return path
    if local.is_dir() and all(
        any((local / name).is_file() for name in names) for names in _MOVIELENS_FILES.values()
    ):
        local = next(local / name for name in _MOVIELENS_FILES[table] if (local / name).is_file())
    resolved = local.resolve()
    require_readable_name(resolved)
    return str(resolved)


def digest_sources(config: Config) -> dict[str, str]:
    """Digests of the raw tables, for fingerprints: path, size and modification time of every file.

    For a Delta folder the files of its log are enough, since every change is a commit. For a remote
    path or a catalog table the digest is of the name alone: a change behind it is not noticed, and
    the stage has to be run with `--force`.
    """
    named = {"interactions": config.ingest.interactions, "items": config.ingest.items}
    return {name: _digest(path) for name, path in named.items() if path}


def _digest(path: str) -> str:
    local = local_path(path)
    lines = [path]
    if local is not None:
        log = local / "_delta_log"
        folder = log if log.is_dir() else local
        files = (
            [local]
            if local.is_file()
            else sorted(file for file in folder.rglob("*") if file.is_file())
        )
        for file in files:
            status = file.stat()
            lines.append(f"{file.relative_to(local)} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _data_files(folder: Path) -> list[Path]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return sorted(
        file
        for file in files
        if not any(part.startswith(("_", ".")) for part in file.relative_to(folder).parts)
    )


def _by_ending(path: str) -> str | None:
    endings = [ending.lower() for ending in Path(path).suffixes]
    while endings and endings[-1] in _COMPRESSION:
        endings.pop()
    return _CONTAINERS.get(endings[-1]) if endings else None
