"""Paths of raw tables: what their names tell of the format, and digests that tell when they have
changed. No Spark.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.config.config import Config

_TABLE = re.compile(r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+){0,2}$")
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:/")
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
    """The file or folder on this machine; None where the path is remote, a table, or nothing."""
    if path.startswith("file:"):
        path = re.sub(r"^file:/+", "/", path)
    if _SCHEME.match(path) or "\0" in path:
        return None
    place = Path(path).expanduser()
    return place if place.exists() else None


def is_table_name(path: str) -> bool:
    """Whether the text could be the name of a catalog table: `table`, `schema.table` or
    `catalog.schema.table`.
    """
    return bool(_TABLE.match(path))


def container_of(path: str) -> str | None:
    """How rows are stored, by the ending of the file (or of a folder's first data file); None where
    that tells nothing.

    Raises:
        InputDataError: a local folder holds no data file.
    """
    place = local_path(path)
    if place is None or place.is_file():
        return _by_ending(path)
    if (place / "_delta_log").is_dir():
        return "delta"
    files = _data_files(place)
    if not files:
        raise InputDataError(
            f"The folder {path} holds no data files; name the file or folder of the raw table."
        )
    return _by_ending(files[0].name)


def resolve_folder(path: str, table: str) -> str:
    """The path as Spark should read it: absolute where it is local, and a MovieLens folder narrowed
    to the table's file.
    """
    place = local_path(path)
    if place is None:
        return path
    if place.is_dir() and all(
        any((place / name).is_file() for name in names) for names in _MOVIELENS_FILES.values()
    ):
        place = next(place / name for name in _MOVIELENS_FILES[table] if (place / name).is_file())
    return str(place.resolve())


def digest_sources(config: Config) -> dict[str, str]:
    """Digests of the raw tables, for the run's fingerprint: path, size and modification time of
    every file.

    Of a Delta folder the log is enough, since every change is a commit. Of a remote path or a
    catalog table only the name
    enters: a change behind it is not seen, and the stage has to be asked for by name.
    """
    named = {"interactions": config.ingest.interactions, "items": config.ingest.items}
    return {name: _digest(path) for name, path in named.items() if path}


def _digest(path: str) -> str:
    place = local_path(path)
    lines = [path]
    if place is not None:
        log = place / "_delta_log"
        inside = log if log.is_dir() else place
        files = (
            [place]
            if place.is_file()
            else sorted(file for file in inside.rglob("*") if file.is_file())
        )
        for file in files:
            facts = file.stat()
            lines.append(f"{file.relative_to(place)} {facts.st_size} {facts.st_mtime_ns}")
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
