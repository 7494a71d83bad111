"""Paths of raw tables: what they name, and digests by which a change is noticed. No Spark."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from llm_i2i_spark.base.files import is_uri
from llm_i2i_spark.config.config import Config

_TABLE = re.compile(r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+){0,2}$")


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
