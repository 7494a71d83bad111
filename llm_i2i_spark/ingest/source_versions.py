"""Which state of a raw table a run reads, pinned once, when the run begins.

The digest of a state depends on what is read and nothing else:

- files: their names below the folder or pattern, and their content. Up to 256 MB in all, every byte
  is read; beyond, a file counts by its size, the time of its last change and samples of its content
  (`base.file_digests`). The files are pinned by name: one that is added later belongs to the next
  run.
- a Delta table: its id, version and the time of that commit; it is read at that version.
- a remote folder, or a table of another kind: the names, lengths and times of its files.
- a view, or what else has neither version nor files: its rows, which are read every time.

Local files and Delta tables are looked at here, without a JVM; the others in `spark_versions`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from llm_i2i_spark.base.errors import ConfigError, InputDataError, StageError
from llm_i2i_spark.base.external_input import ExternalInput
from llm_i2i_spark.base.file_digests import digest_files
from llm_i2i_spark.ingest.paths import (
    data_files,
    files_matching,
    is_hidden,
    literal_folder,
    local_path,
)
from llm_i2i_spark.ingest.public import narrow_folder, public_name

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from llm_i2i_spark.config.config import Config

_AT_VERSION = re.compile(r"^(?P<path>.+)@v(?P<version>\d+)$")


@dataclass(frozen=True)
class SourceVersion(ExternalInput):
    """One state of a raw table.

    Attributes:
        path: as configured, for messages; of a Delta table without its `@vN`.
        kind: files of this machine, remote files, a Delta folder, a table of the catalog with a
            version (`delta_table`) or without (`table`), or a view (`rows`).
        files: paths of the files, for the first two kinds.
        root: the folder that the files' names are relative to, or the Delta folder.
        version: of a Delta table.
    """

    path: str = ""
    kind: Literal["files", "remote_files", "delta", "delta_table", "table", "rows"] = "files"
    files: tuple[str, ...] = ()
    root: str = ""
    version: int | None = None

    @property
    def paths(self) -> list[str]:
        """The files as Spark is given them, which takes some characters for patterns."""
        return [re.sub(r"([\\*?\[\]{}])", r"\\\1", file) for file in self.files]

    @property
    def partition_root(self) -> str | None:
        """The folder below which `day=2024-01-31/` is a value of a column; None without such
        folders.
        """
        names = (os.path.dirname(os.path.relpath(file, self.root)) for file in self.files)
        return self.root if any("=" in name for name in names) else None


def find_sources(config: Config, session: Callable[[], SparkSession]) -> dict[str, SourceVersion]:
    """The present state of the raw log and, where there is one, the raw catalogue.

    Args:
        config: names them.
        session: opens a session; called only for what is not on this machine.

    Raises:
        ConfigError: no log is given.
        InputDataError: nothing is there.
    """
    named = {"interactions": config.ingest.interactions, "items": config.ingest.items}
    if not named["interactions"]:
        raise ConfigError(
            "Say where the raw interactions are: --set ingest.interactions=PATH (a file, a folder,"
            " a pattern such as days/*.csv, or a table name)."
        )
    formats = {table: getattr(config.ingest.format, table) for table in named}
    return {
        table: find_source(path, table, session, public_name(formats[table]))
        for table, path in named.items()
        if path
    }


def find_source(
    path: str, table: str, session: Callable[[], SparkSession], data_set: str | None = None
) -> SourceVersion:
    """The present state of a raw table.

    Args:
        path: a file, a folder, a pattern, a Delta folder or a table; `@vN` behind the last two
            names a version.
        table: `interactions` or `items`.
        session: opens a session; called only for what is not on this machine.
        data_set: the public data set that a folder holds; None for unknown.

    Raises:
        InputDataError: nothing is there.
    """
    found = local_source(narrow_folder(path, table, data_set), table)
    if found is not None:
        return found
    from llm_i2i_spark.ingest.spark_versions import source_by_spark

    return source_by_spark(session(), path, table)


def local_source(path: str, table: str) -> SourceVersion | None:
    """The present state of what lies on this machine; None where it does not, or where only Spark
    can read its Delta log.

    Raises:
        InputDataError: there are no files in it, or a pattern names a Delta table.
    """
    literal = local_path(path)
    name, version = (path, None) if literal is not None else split_version(path)
    local = literal or local_path(name)
    if local is not None and (local / "_delta_log").is_dir():
        return _delta_folder(name, local, version)
    if version is not None:
        if local is None:
            return None
        raise InputDataError(f"{name} is no Delta table, so leave out its version @v{version}.")
    if local is not None:
        resolved = Path(os.path.abspath(local))
        root = resolved if resolved.is_dir() else resolved.parent
        return _of_files(path, root, [resolved])
    matches = files_matching(path)
    return _of_files(path, literal_folder(path), matches) if matches else None


def split_version(path: str) -> tuple[str, int | None]:
    """`clicks@v3` as (`clicks`, 3); a path without a version with None."""
    found = _AT_VERSION.match(path)
    return (found["path"], int(found["version"])) if found else (path, None)


def require_unchanged(
    source: SourceVersion, table: str, session: Callable[[], SparkSession]
) -> None:
    """See, after it was read, that a raw table is still in the state that was pinned.

    What is read at a version cannot change; the rows of a view are compared where they are read.

    Raises:
        StageError: a file was changed or removed meanwhile.
    """
    if source.kind == "files":
        try:
            same = _digest_of(source.root, source.files) == source.digest
        except OSError:
            same = False
    elif source.kind in ("remote_files", "table"):
        from llm_i2i_spark.ingest.spark_versions import is_unchanged

        same = is_unchanged(session(), source)
    else:
        return
    if not same:
        raise changed_while_read(source, table)


def changed_while_read(source: SourceVersion, table: str) -> StageError:
    """The error for a source that is no longer what was pinned."""
    if source.kind == "rows":
        return StageError(
            f"{source.path} gave other rows than when this run began; write them to a Delta table"
            f" and name that as ingest.{table}, or start the run again."
        )
    return StageError(
        f"The raw {table} in {source.path} were changed while they were read; start the run again."
    )


def _of_files(path: str, root: Path, places: Sequence[Path]) -> SourceVersion:
    for place in places:
        if (place / "_delta_log").is_dir():
            raise InputDataError(
                f"{path} names the Delta table {place} by a pattern; name one Delta table."
            )
    files = [
        str(file) for place in places for file in (data_files(place) if place.is_dir() else [place])
    ]
    hidden = [file for place in places for file in _hidden_files(place)]
    if hidden and all(file in map(str, hidden) for file in files):
        name = hidden[0].name
        raise InputDataError(
            f"Spark passes over names that begin with _ or ., such as {name}; rename it to"
            f" {name.lstrip('_.') or 'data'} and name that."
        )
    if not files:
        raise InputDataError(
            f"The folder {path} holds no data files; name the file or folder of the raw table."
        )
    try:
        digest = _digest_of(str(root), files)
    except OSError as error:
        raise InputDataError(f"{path} cannot be read ({error}); name another file.") from error
    return SourceVersion(digest, count_files(files), path, "files", tuple(files), str(root))


def _hidden_files(place: Path) -> list[Path]:
    """A file that Spark passes over, or those of a folder."""
    files = place.iterdir() if place.is_dir() else [place]
    return sorted(file for file in files if is_hidden(file.name) and file.is_file())


def _digest_of(root: str, files: Sequence[str]) -> str:
    return digest_files({os.path.relpath(file, root): Path(file) for file in files}, True)


def count_files(files: Sequence[str]) -> str:
    """How many there are, in words."""
    return "1 file" if len(files) == 1 else f"{len(files):,} files"


def _delta_folder(path: str, folder: Path, version: int | None) -> SourceVersion | None:
    try:
        opened = DeltaTable(os.path.abspath(folder), version=version)
        commit = opened.history(1)[0]
    except DeltaError:
        return None
    table_id, root = str(opened.metadata().id), os.path.abspath(folder)
    return delta_source(path, root, table_id, opened.version(), commit["timestamp"])


def delta_source(path: str, root: str, table_id: str, version: int, millis: int) -> SourceVersion:
    """A Delta folder at a version.

    Args:
        path: as configured, without `@vN`.
        root: the folder as Spark is given it.
        table_id: which a table that is made anew has not.
        version: of the table.
        millis: time of its commit since 1970.
    """
    digest = hashlib.sha256(f"delta {table_id} {version} {millis}".encode()).hexdigest()
    found = f"Delta version {version}"
    return SourceVersion(digest, found, path, "delta", root=root, version=version)


def in_catalog(source: SourceVersion) -> SourceVersion:
    """The same Delta version of a table that is named by the catalog."""
    return replace(source, kind="delta_table")
